/** Watches that new frames are shown, and rests where none can be expected. Pure, times in ms. */

/** LIVE is a frame younger than this. */
export const WEAK = 1000;
/** Flat for this long while packets arrive, the picture is broken; without packets, perhaps the network. */
export const FLAT = 2000;
/** After this long a new peer connection is requested; the wait doubles, up to `MAX_RESTART_WAIT`. */
export const GONE = 3000;
const MAX_RESTART_WAIT = 24_000;
/** While packets arrive pictures may be skipped for a slow network, which a new connection would flood. */
export const SKIPPED = 12_000;

export class FrameWatch {
  /** @type {number | null} when the newest frame was shown, or waiting began; null at rest */
  since = null;
  /** @type {number | null} the newest frame since the last rest */
  last = null;
  /** mean time from frame to frame */
  interval = 1000 / 30;
  freezes = 0;
  packets = 0;
  arriving = false;
  weak = false;
  flat = false;
  /** the age at which a new peer connection is asked for next */
  restartAge = GONE;

  /** What is missing is found anew. */
  reset() {
    this.weak = false;
    this.flat = false;
    this.restartAge = GONE;
  }

  get isStopped() {
    return this.since === null;
  }

  /** Frames are expected from now on. @param {number} now */
  start(now) {
    this.since = now;
    this.last = null;
    this.reset();
  }

  stop() {
    this.since = null;
    this.last = null;
  }

  /** A new frame is on the screen. @param {number} now */
  frame(now) {
    if (this.since === null) return;
    if (this.last !== null) this.#measure(now - this.last);
    this.since = this.last = now;
    this.reset();
  }

  /** Counts freezes by the rule of webrtc-stats (`freezeCount`). @param {number} gap */
  #measure(gap) {
    if (gap > Math.max(3 * this.interval, this.interval + 150)) this.freezes += 1;
    this.interval += (gap - this.interval) / 30;
  }

  /** How many video packets have come in all. @param {number} total */
  received(total) {
    this.arriving = total > this.packets;
    this.packets = total;
  }

  /** What is wrong by now, each thing said once. @param {number} now */
  findings(now) {
    if (this.since === null) return [];
    const age = now - this.since;
    /** @type {Finding[]} */
    const found = [];
    if (age >= WEAK && !this.weak) {
      this.weak = true;
      found.push("frame:weak");
    }
    if (age >= FLAT && !this.flat) {
      this.flat = true;
      found.push(this.arriving ? "frame:flat" : "frame:silent");
    }
    if (age >= (this.arriving ? Math.max(this.restartAge, SKIPPED) : this.restartAge)) {
      this.restartAge = age + Math.min(age, MAX_RESTART_WAIT);
      found.push("frame:gone");
    }
    return found;
  }
}

/** A larger share of packets lost is a lossy network, for so many ms. */
export const LOSSY = 0.02;
export const LOSSY_MS = 8000;
/** ms that pictures wait there for repeats; the daemon's playout-delay allows 400. */
export const LOSSY_DELAY = 350;

/** A longer stretch without a tick: the machine slept. */
const SLEEP_GAP = 5000;

/**
 * Whether the page slept between two ticks. In a hidden page timers are slow, and a gap proves nothing.
 * @param {number} before
 * @param {number} now
 * @param {boolean} hidden  at either tick
 */
export function slept(before, now, hidden) {
  return !hidden && Math.abs(now - before) > SLEEP_GAP;
}
