/** Where on the time axis something was recorded, and what plays after what. Pure; times in Unix seconds. */

/** Files that are closer than this belong together: clocks and last pictures are not more exact. In seconds. */
export const JOIN = 1.5;
/** Less than this at the beginning of a file is not skipped, because seeking takes longer. In seconds. */
const OVERLAP = 0.5;

/** @param {Recording} recording */
export function endOf(recording) {
  return recording.started + recording.duration;
}

/**
 * Returns the parts of `from` to `to` in which something was recorded, in order; files without a real gap are one span.
 * @param {readonly Recording[]} recordings  by start
 * @param {number} from @param {number} to @param {number} [join]  seconds up to which a gap is none
 */
export function spansOf(recordings, from, to, join = JOIN) {
  /** @type {Span[]} */
  const spans = [];
  for (const recording of recordings) {
    const span = { from: Math.max(recording.started, from), to: Math.min(endOf(recording), to) };
    const last = spans.at(-1);
    if (span.to <= span.from) continue;
    if (last && span.from <= last.to + join) last.to = Math.max(last.to, span.to);
    else spans.push(span);
  }
  return spans;
}

/** Returns what lies between the spans. @param {readonly Span[]} spans */
export function gapsOf(spans) {
  return spans.slice(1).map((span, index) => ({ from: spans[index].to, to: span.from }));
}

/** All playable recordings as one film. */
export class Film {
  /** @param {readonly Recording[]} recordings  in any order */
  constructor(recordings) {
    /** by start @type {readonly Recording[]} */
    this.recordings = recordings.filter((one) => !one.broken && one.duration > 0 && one.kind !== "timelapse").sort((a, b) => a.started - b.started);
    let end = -Infinity;
    /** the latest end of each recording and all before it */
    this.ends = this.recordings.map((recording) => (end = Math.max(end, endOf(recording))));
  }

  get start() {
    return this.recordings[0]?.started ?? null;
  }

  get end() {
    return this.ends.at(-1) ?? null;
  }

  /** Returns the recordings with a picture between two times. @param {number} from @param {number} to */
  between(from, to) {
    const last = this.#startedBy(to);
    let first = last;
    while (first > 0 && this.ends[first - 1] > from) first--;
    return this.recordings.slice(first, last + 1).filter((recording) => recording.started < to && endOf(recording) > from);
  }

  /**
   * Returns where a time is recorded, or null. Where recordings overlap, the current one is preferred, then the latest.
   * @param {number} time @param {Recording | null} [current] @returns {Place | null}
   */
  at(time, current = null) {
    const found = this.between(time, time + 1e-3).filter((one) => one.started <= time);
    const recording = found.find((one) => one.name === current?.name) ?? found.at(-1);
    return recording ? { recording, offset: time - recording.started } : null;
  }

  /** Returns where a time is recorded, else where recording next begins, else the last picture. @param {number} time @param {Recording | null} [current] */
  near(time, current = null) {
    const place = this.at(time, current) ?? this.#from(time);
    if (place || !this.recordings.length) return place;
    const recording = this.recordings[this.ends.indexOf(this.ends.at(-1) ?? 0)];
    return { recording, offset: recording.duration };
  }

  /**
   * Returns what plays after a recording: the rest of one that goes on, else the next one, else null.
   * @param {Recording} recording @returns {Place | null}
   */
  after(recording) {
    const end = endOf(recording);
    const next = this.between(end, end + JOIN).filter((one) => one.name !== recording.name && endOf(one) > end + JOIN).at(-1);
    if (!next) return this.#from(end, recording);
    const offset = end - next.started;
    return { recording: next, offset: offset < OVERLAP ? 0 : offset };
  }

  /** Returns the gap around a time, also before the first and after the last recording; null where there is a picture. @param {number} time @returns {Gap | null} */
  gap(time) {
    if (this.at(time)) return null;
    const index = this.#startedBy(time);
    return { from: index < 0 ? null : this.ends[index], to: this.recordings[index + 1]?.started ?? null };
  }

  /** @param {number} time @param {Recording} [except] @returns {Place | null} */
  #from(time, except) {
    const index = this.#startedBy(time) + 1;
    const recording = this.recordings.slice(index, index + 2).find((one) => one.name !== except?.name);
    return recording ? { recording, offset: 0 } : null;
  }

  /** Returns the index of the last recording that has started by then, or -1. @param {number} time */
  #startedBy(time) {
    let [low, high] = [0, this.recordings.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.recordings[middle].started <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
