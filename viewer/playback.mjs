/** Playback of the stream over the web: where to seek, how fast to play, what to remove. Pure; media times in s, clocks in ms. */

/**
 * How much is buffered ahead at least: just before the next fragment comes. Chromium takes audio from the buffer 90 ms
 * before it is heard, and 140 ms at another speed with the same pitch (measured without a sound card).
 */
export const RESERVE = 0.15;
/** What each stall with data in the buffer adds to it, as far as `MAX_EXTRA`: some devices, such as headphones, need more. */
export const STALL_STEP = 0.05;
export const MAX_EXTRA = 0.15;
const CALM_STEP = 0.01;
/** Time without a stall after which less is kept; it doubles with each stall. */
export const CALM = 10_000;
const MAX_CALM = 40_000;
/** With less than this ahead, a stall is the network's. */
const EMPTY = 0.03;
/** What Chromium wants ahead before it begins to play; after a stall without a seek, it wants twice as much, then four times. */
export const BEGIN_AHEAD = 0.21;
/** Time for which playback waits with as much, before a seek lets it go on. */
export const WAIT = 40;
/** If more is ahead, it is skipped; before anything was shown, already if it is so much more than needed. */
export const MAX_AHEAD = 0.55;
export const MAX_FIRST_EXCESS = 0.1;
/** Time until the next skip; it doubles with each one, because decoding up to the new position may take a slow device too long. */
export const SKIP_PAUSE = 500;
const MAX_SKIP_PAUSE = 8000;
/** What the browser keeps behind the position, and what is removed at a time. */
export const KEPT = 2;
const REMOVED = 8;

/** How far ahead of the clock the buffer's end was, at each arrival within the last seconds. */
export class Arrivals {
  /** Time during which they count. */
  static WINDOW = 3000;
  static PART = 250;
  /** Fragments that come later than this are not waited for: it would delay everything, and a late one is no jitter. */
  static MAX_JITTER = 0.2;
  static MAX_LATE = 0.5;
  /** @type {{since: number, low: number, high: number}[]} just before, and just after an arrival */
  parts = [];
  /** @type {number | null} */
  end = null;

  clear() {
    this.parts = [];
    this.end = null;
  }

  /** @param {number} end @param {number} now */
  add(end, now) {
    const high = end - now / 1000;
    const low = (this.end ?? end) - now / 1000;
    this.end = end;
    const part = this.parts.at(-1);
    if (!part || now - part.since >= Arrivals.PART) this.parts.push({ since: now, low, high });
    else Object.assign(part, { low: Math.min(part.low, low), high: Math.max(part.high, high) });
    while (now - this.parts[0].since > Arrivals.WINDOW) this.parts.shift();
  }

  get #high() {
    return Math.max(...this.parts.map((part) => part.high));
  }

  /** How much less is ahead just before a late fragment than after one that is in time. */
  get jitter() {
    const high = this.#high;
    const lows = this.parts.map((part) => part.low).filter((low) => low > high - Arrivals.MAX_LATE);
    return Math.min(high - Math.min(...lows, high), Arrivals.MAX_JITTER);
  }

  /** Returns what will be ahead of a position that is played now, just before a late fragment. @param {number} position @param {number} now */
  reserve(position, now) {
    return this.#high + now / 1000 - position - this.jitter;
  }
}

export class Playback {
  /** what stalls have added to the reserve */
  extra = 0;
  rate = 1;
  hasBegun = false;
  arrivals = new Arrivals();
  skippedAt = -Infinity;
  skipPause = SKIP_PAUSE;
  calm = CALM;
  /** since when playback waits for data @type {number | null} */
  stalledAt = null;
  /** since when it waits although there is enough @type {number | null} */
  enoughAt = null;
  /** @type {number[]} start times of the buffered keyframes */
  keyframes = [];

  /** @param {number} now */
  constructor(now) {
    this.changedAt = now;
  }

  /** Whether the pitch need not change with the rate: that takes audio from further ahead, and is hardly heard with the low rates. */
  get preservesPitch() {
    return this.rate > 1.05;
  }

  /** How much is ahead when playback begins. */
  get #beginAhead() {
    return Math.max(BEGIN_AHEAD, RESERVE + this.extra + this.arrivals.jitter);
  }

  /** A new source: its times have nothing to do with those before. */
  restart() {
    this.keyframes = [];
    this.arrivals.clear();
    this.hasBegun = false;
    this.played();
  }

  /** Playback waits for data. @param {number} ahead @param {number} now */
  stalled(ahead, now) {
    if (this.stalledAt !== null || !this.hasBegun) return;
    this.stalledAt = this.changedAt = now;
    if (ahead < EMPTY) return;
    this.extra = Math.min(MAX_EXTRA, this.extra + STALL_STEP);
    this.calm = Math.min(MAX_CALM, 2 * this.calm);
  }

  /** Playback does not wait, or not any longer. */
  played() {
    this.stalledAt = this.enoughAt = null;
  }

  /**
   * Sets the rate, and returns where to seek, or null.
   * @param {number} position
   * @param {{start: number, end: number}} newest  the last of the buffered ranges; the daemon skips what a slow network delays
   * @param {number} now
   */
  follow(position, { start, end }, now) {
    this.#relax(now);
    const isLate = position < start || this.#isLate(end - position, now);
    if (isLate) this.arrivals.clear();
    this.arrivals.add(end, now);
    if (isLate || this.#isStuck(end - position, now)) {
      this.rate = 1;
      this.played();
      return Math.max(start, end - this.#beginAhead);
    }
    this.hasBegun = true;
    this.#steer(this.arrivals.reserve(position, now) - RESERVE - this.extra);
    return null;
  }

  /** Once the rate was changed, it stays so until there is just enough. @param {number} excess */
  #steer(excess) {
    if (excess > 0.2) this.rate = 1.1;
    else if (excess > (this.rate > 1 ? 0.01 : 0.03)) this.rate = excess > 0.1 ? 1.05 : 1.03;
    else if (excess < (this.rate < 1 ? 0 : -0.03)) this.rate = excess < -0.1 ? 0.95 : 0.97;
    else this.rate = 1;
  }

  /** Whether playback should skip. @param {number} ahead @param {number} now */
  #isLate(ahead, now) {
    if (!this.hasBegun) return ahead > BEGIN_AHEAD + MAX_FIRST_EXCESS;
    return ahead > MAX_AHEAD && this.#maySkip(now);
  }

  /** Whether playback waits although there is enough. @param {number} ahead @param {number} now */
  #isStuck(ahead, now) {
    if (this.stalledAt === null || ahead < this.#beginAhead) return false;
    this.enoughAt ??= now;
    return now - this.enoughAt >= WAIT && this.#maySkip(now);
  }

  /** @param {number} now */
  #maySkip(now) {
    if (now - this.skippedAt < this.skipPause) return false;
    const isRepeated = now - this.skippedAt < 2 * MAX_SKIP_PAUSE;
    this.skipPause = isRepeated ? Math.min(MAX_SKIP_PAUSE, 2 * this.skipPause) : SKIP_PAUSE;
    this.skippedAt = now;
    return true;
  }

  /** @param {number} now */
  #relax(now) {
    if (now - this.changedAt < this.calm) return;
    this.changedAt = now;
    this.extra = Math.max(0, this.extra - CALM_STEP);
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
