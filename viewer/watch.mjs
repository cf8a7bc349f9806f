/** Watches that new frames are presented while they are expected. Pure, times in ms. */

/** The stream is LIVE while the newest frame is younger than this. */
export const WEAK = 1000;
/** Without a frame for this time, request a keyframe if packets arrive, else check the connection. */
export const FLAT = 2000;
/** Without a frame for this time, request a new peer connection; the wait doubles, up to `MAX_RESTART_WAIT`. */
export const GONE = 3000;
const MAX_RESTART_WAIT = 24_000;
/** While packets arrive, frames may be skipped for a slow network, where a new connection would add load. */
export const SKIPPED = 12_000;

export class FrameWatch {
  /** @type {number | null} when the newest frame was presented, or watching started; null while stopped */
  since = null;
  /** @type {number | null} when the newest frame since the start was presented */
  last = null;
  /** average time between frames */
  interval = 1000 / 30;
  freezes = 0;
  packets = 0;
  arriving = false;
  weak = false;
  flat = false;
  /** the age of the newest frame at which a new peer connection is requested */
  restartAge = GONE;

  /** Lets every finding be reported again. */
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

  /** A new frame was presented. @param {number} now */
  frame(now) {
    if (this.since === null) return;
    if (this.last !== null) this.#measure(now - this.last);
    this.since = this.last = now;
    this.reset();
  }

  /** Counts freezes as defined for `freezeCount` in webrtc-stats. @param {number} gap */
  #measure(gap) {
    if (gap > Math.max(3 * this.interval, this.interval + 150)) this.freezes += 1;
    this.interval += (gap - this.interval) / 30;
  }

  /** Takes the total number of received video packets. @param {number} total */
  received(total) {
    this.arriving = total > this.packets;
    this.packets = total;
  }

  /** New findings; each is reported once. @param {number} now */
  findings(now) {
    if (this.since === null) return [];
    const age = now - this.since;
    /** @type {Finding[]} */
    const findings = [];
    if (age >= WEAK && !this.weak) {
      this.weak = true;
      findings.push("frame:weak");
    }
    if (age >= FLAT && !this.flat) {
      this.flat = true;
      findings.push(this.arriving ? "frame:flat" : "frame:silent");
    }
    if (age >= (this.arriving ? Math.max(this.restartAge, SKIPPED) : this.restartAge)) {
      this.restartAge = age + Math.min(age, MAX_RESTART_WAIT);
      findings.push("frame:gone");
    }
    return findings;
  }
}

/** Fraction of lost packets above which a network is lossy, for `LOSSY_MS`. */
export const LOSSY = 0.02;
export const LOSSY_MS = 8000;
/** Playout delay in ms on lossy networks, for retransmissions; the daemon's playout-delay allows 400. */
export const LOSSY_DELAY = 350;

/** ms between two ticks above which the machine has slept. */
const SLEEP_GAP = 5000;

/**
 * Whether the machine slept between two ticks. In a hidden page timers are slow, so a gap proves nothing.
 * @param {number} before
 * @param {number} now
 * @param {boolean} hidden  at either tick
 */
export function slept(before, now, hidden) {
  return !hidden && Math.abs(now - before) > SLEEP_GAP;
}
