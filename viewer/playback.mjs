/** Playback of the stream over the web: where to seek, how fast to play, what to remove. Pure; media times in s, clocks in ms. */

/** How much is buffered ahead at least; more after each short stall, and slowly less while there is none. */
export const MIN_TARGET = 0.05;
export const MAX_TARGET = 0.3;
const STALL_STEP = 0.05;
const CALM_STEP = 0.02;
/** Time without a stall after which the target falls. */
export const CALM = 10_000;
/** A longer stall is not jitter, against which a larger buffer helps. */
export const MAX_STALL = 500;
/** If more is buffered ahead, it is skipped; before anything was shown, already if it is this much more than the target. */
export const MAX_AHEAD = 0.55;
export const MAX_FIRST_EXCESS = 0.1;
/** Time until the next skip; it doubles with each one, because decoding up to the new position may take a slow device too long. */
export const SKIP_PAUSE = 500;
const MAX_SKIP_PAUSE = 8000;
/** What the browser keeps behind the position, and what is removed at a time. */
export const KEPT = 2;
const REMOVED = 8;

export class Playback {
  target = MIN_TARGET;
  rate = 1;
  hasBegun = false;
  skippedAt = -Infinity;
  skipPause = SKIP_PAUSE;
  /** since when playback waits for data @type {number | null} */
  stalledAt = null;
  /** @type {number[]} start times of the buffered keyframes */
  keyframes = [];

  /** @param {number} now */
  constructor(now) {
    this.changedAt = now;
  }

  /** Playback waits for data. @param {number} now */
  stalled(now) {
    this.stalledAt ??= now;
  }

  /**
   * Sets the rate, and returns where to seek, or null.
   * @param {number} position
   * @param {{start: number, end: number}} newest  the last of the buffered ranges; the daemon skips what a slow network delays
   * @param {number} now
   */
  follow(position, { start, end }, now) {
    this.#adapt(position < start, now);
    const excess = end - position - this.target;
    if (position < start || this.#isLate(end - position, now)) {
      this.rate = 1;
      return Math.max(start, end - this.target);
    }
    this.hasBegun = true;
    // Once started, catching up goes on until the target is reached.
    if (excess <= 0) this.rate = 1;
    else if (excess > 0.1) this.rate = 1.1;
    else if (excess > 0.03) this.rate = Math.max(this.rate, 1.05);
    return null;
  }

  /** Whether playback should skip. @param {number} ahead @param {number} now */
  #isLate(ahead, now) {
    if (!this.hasBegun) return ahead > this.target + MAX_FIRST_EXCESS;
    if (ahead <= MAX_AHEAD || now - this.skippedAt < this.skipPause) return false;
    const isRepeated = now - this.skippedAt < 2 * MAX_SKIP_PAUSE;
    this.skipPause = isRepeated ? Math.min(MAX_SKIP_PAUSE, 2 * this.skipPause) : SKIP_PAUSE;
    this.skippedAt = now;
    return true;
  }

  /** @param {boolean} skipped  the daemon has skipped frames @param {number} now */
  #adapt(skipped, now) {
    const stall = this.stalledAt === null ? 0 : now - this.stalledAt;
    this.stalledAt = null;
    if (stall === 0 && now - this.changedAt < CALM) return;
    this.changedAt = now;
    if (stall === 0) this.target = Math.max(MIN_TARGET, this.target - CALM_STEP);
    else if (stall <= MAX_STALL && !skipped) this.target = Math.min(MAX_TARGET, this.target + STALL_STEP);
  }

  /**
   * Returns the end of what can be removed, or null. It is the start of a keyframe: browsers also remove all frames that
   * depend on a removed one (Media Source Extensions §3.5.9).
   * @param {number} position
   * @param {number} start  of the first buffered range
   */
  removable(position, start) {
    const end = this.keyframes.filter((time) => time <= position - KEPT).at(-1) ?? start;
    if (end - start < REMOVED) return null;
    this.keyframes = this.keyframes.filter((time) => time >= end);
    return end;
  }
}

/** Returns the start of a fragment that begins with a keyframe, in s, else null; for fragments of `media/mp4.py`. @param {ArrayBuffer} fragment */
export function keyframeTime(fragment) {
  if (fragment.byteLength < 100) return null;
  const view = new DataView(fragment);
  const isVideo = view.getUint32(4) === 0x6d6f6f66 && view.getUint32(44) === 1; // moof; the track in tfhd
  const isSync = view.getUint32(96) === 0x02000000; // sample_flags of the first sample in trun
  return isVideo && isSync ? Number(view.getBigUint64(60)) / 90_000 : null; // tfdt
}

/** Returns the codecs of a MIME type as WebRTC names them. @param {string} mime */
export function codecNames(mime) {
  const codecs = mime.match(/codecs="(.*)"/)?.[1].split(",") ?? [];
  return codecs.map((codec) => (codec.trim().startsWith("avc") ? "H264" : codec.trim().toLowerCase())).join(" · ");
}

/**
 * Returns the statistics between two snapshots; what is known only with WebRTC is null.
 * @param {PlaybackSnapshot} before
 * @param {PlaybackSnapshot} after
 * @returns {Stats}
 */
export function playbackStats(before, after) {
  const seconds = (after.at - before.at) / 1000;
  const { width, height, ahead, mime } = after;
  return {
    width, height, fps: Math.max(0, after.frames - before.frames) / seconds, bitrate: ((after.bytes - before.bytes) * 8) / seconds,
    buffer: ahead * 1000, decode: null, missed: 0, lost: null, repaired: null, keyframes: after.keyframes, plis: null, nacks: null,
    trip: null, route: "web", codec: codecNames(mime),
  };
}
