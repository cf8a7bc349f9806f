/** The latency of the frames, from their timestamps and heartbeats. Pure; in ms. */

/** Number of the latest heartbeats that count, because clocks drift. */
const SAMPLES = 8;
/** RTP clock of video in ticks per ms (RFC 6184 §8.2.1); timestamps wrap at 2^32. */
export const TICKS = 90;
const WRAP = 2 ** 32 / TICKS;

/** Estimates the offset between the daemon's clock and the page's from heartbeats. */
export class ClockOffset {
  /** @type {{trip: number, offset: number}[]} */
  samples = [];

  /**
   * A heartbeat was received.
   * @param {number | undefined} sent  the page's clock when its own heartbeat was sent; undefined if this is no answer
   * @param {number} remote  the daemon's clock
   * @param {number} received  the page's clock
   */
  add(sent, remote, received) {
    if (sent == null) return;
    const trip = received - sent;
    this.samples.push({ trip, offset: remote - (sent + received) / 2 });
    if (this.samples.length > SAMPLES) this.samples.shift();
  }

  /** The heartbeat with the shortest round trip. */
  get #best() {
    return this.samples.reduce((best, sample) => (sample.trip < best.trip ? sample : best), { trip: Infinity, offset: 0 });
  }

  /** The daemon's clock minus the page's; null before the first heartbeat. */
  get offset() {
    return this.samples.length > 0 ? this.#best.offset : null;
  }

  /** The round trip of the signaling connection, or null. */
  get trip() {
    return this.samples.length > 0 ? this.#best.trip : null;
  }
}

/**
 * Returns the time from capture to now, or null if unknown. Timestamps wrap every 13 hours; the nearest capture time counts.
 * @param {CaptureClock | null | undefined} clock
 * @param {number | undefined} rtpTimestamp  of the frame shown
 * @param {number | null} offset
 * @param {number} now  the page's clock
 */
export function latency(clock, rtpTimestamp, offset, now) {
  if (!clock || rtpTimestamp === undefined || offset === null) return null;
  const captured = clock.at + (rtpTimestamp - clock.rtp) / TICKS;
  const late = now + offset - captured;
  return late - WRAP * Math.round(late / WRAP);
}

/** Returns the median, or null of no values. @param {readonly number[]} values */
export function median(values) {
  if (values.length === 0) return null;
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** The latencies of the frames since the last reading. */
export class LatencyMeter {
  offset = new ClockOffset();
  /** @type {number[]} */
  values = [];

  /** A frame was shown. @param {CaptureClock | null} clock @param {number | undefined} timestamp @param {number} now */
  frame(clock, timestamp, now) {
    const ms = latency(clock, timestamp, this.offset.offset, now);
    if (ms !== null) this.values.push(ms);
  }

  /** Returns the median since the last call, or null. */
  take() {
    const value = median(this.values);
    this.values = [];
    return value;
  }
}
