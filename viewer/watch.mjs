/** Detection of missing frames while they are expected. Pure; times in ms. */

/** Maximum age of the last frame while the video counts as live. */
export const WEAK = 1000;
/** Time without a frame after which the picture is broken if packets arrive, else perhaps the network. */
export const FLAT = 2000;
/** Time without a frame after which a new peer connection is requested; it doubles, up to `MAX_RESTART_WAIT`. */
export const GONE = 3000;
const MAX_RESTART_WAIT = 24_000;
/** The same while packets arrive: the daemon may skip frames for a slow network, which a new connection would overload. */
export const SKIPPED = 12_000;

export class FrameWatch {
  /** @type {number | null} when the last frame was shown, or waiting began; null while stopped */
  since = null;
  /** @type {number | null} the last frame since `start` */
  last = null;
  /** average time between frames */
  interval = 1000 / 30;
  freezes = 0;
  packets = 0;
  arriving = false;
  weak = false;
  flat = false;
  /** the age of the last frame at which a new peer connection is requested next */
  restartAge = GONE;

  /** Reports findings again from now on. */
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

  /** A frame was shown. @param {number} now */
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

  /** Updates the number of video packets received. @param {number} total */
  received(total) {
    this.arriving = total > this.packets;
    this.packets = total;
  }

  /** Returns new findings; each is reported once. @param {number} now */
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

/** Fraction of packets lost above which the network counts as lossy, for `LOSSY_MS`. */
export const LOSSY = 0.02;
export const LOSSY_MS = 8000;
/** Playout delay on a lossy network, for retransmissions; the daemon's playout-delay extension allows 400. */
export const LOSSY_DELAY = 350;

/** Time without a tick after which the machine must have slept. */
const SLEEP_GAP = 5000;

/**
 * Returns whether the machine slept between two ticks. In a hidden page timers are throttled, so a gap proves nothing.
 * @param {number} before
 * @param {number} now
 * @param {boolean} hidden  at either tick
 */
export function slept(before, now, hidden) {
  return !hidden && Math.abs(now - before) > SLEEP_GAP;
}
