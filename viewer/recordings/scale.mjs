/** The visible part of a day: zooming, panning, ticks, and what is wide enough to be drawn. Pure; times in Unix seconds. */

/** The shortest visible part, in seconds. */
export const SHORTEST = 60;
/** Distances between labels, in seconds. */
const STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600];

export class Scale {
  /** @param {Span} day */
  constructor(day) {
    this.day = day;
    this.from = day.from;
    this.to = day.to;
  }

  get isWhole() {
    return this.from <= this.day.from && this.to >= this.day.to;
  }

  get length() {
    return this.to - this.from;
  }

  /** Returns where a time is, as a fraction of the width. @param {number} time */
  fraction(time) {
    return (time - this.from) / this.length;
  }

  /** @param {number} fraction */
  time(fraction) {
    return this.from + Math.min(1, Math.max(0, fraction)) * this.length;
  }

  /** Shows `factor` times as much, and keeps a time where it is. @param {number} factor @param {number} around */
  zoom(factor, around) {
    const whole = this.day.to - this.day.from;
    const length = Math.min(whole, Math.max(SHORTEST, this.length * factor));
    this.#place(around - this.fraction(around) * length, length);
  }

  /** @param {number} seconds */
  pan(seconds) {
    this.#place(this.from + seconds, this.length);
  }

  /** Shows exactly this part. @param {number} from @param {number} to */
  show(from, to) {
    this.#place(from, Math.min(this.day.to - this.day.from, Math.max(SHORTEST, to - from)));
  }

  /** Pans if a time is not visible; returns whether that was necessary. @param {number} time */
  reveal(time) {
    if ((time >= this.from && time <= this.to) || time < this.day.from || time > this.day.to) return false;
    this.#place(time - this.length * 0.1, this.length);
    return true;
  }

  /** Returns the times to label, and the distance between them. @param {number} width  in pixels @param {number} distance  least, in pixels */
  ticks(width, distance) {
    const step = STEPS.find((seconds) => (seconds / this.length) * width >= distance) ?? STEPS[STEPS.length - 1];
    const times = [];
    for (let time = this.day.from + Math.ceil((this.from - this.day.from) / step) * step; time <= this.to; time += step) times.push(time);
    return { step, times };
  }

  /**
   * Returns the visible spans with their place as fractions. Spans that are closer than a pixel or so are drawn as one, so
   * that their number depends on the width only.
   * @param {readonly Span[]} spans  in order @param {number} width  in pixels
   */
  visible(spans, width) {
    const least = (2 / Math.max(1, width)) * this.length;
    /** @type {Span[]} */
    const drawn = [];
    for (const span of spans) {
      if (span.to < this.from || span.from > this.to) continue;
      const last = drawn.at(-1);
      if (last && span.from - last.to < least) last.to = Math.max(last.to, span.to);
      else drawn.push({ from: Math.max(span.from, this.from), to: Math.max(Math.min(span.to, this.to), span.from + least) });
    }
    return drawn.map(({ from, to }) => ({ from, to, left: this.fraction(from), width: (Math.min(to, this.to) - from) / this.length }));
  }

  /** @param {number} from @param {number} length */
  #place(from, length) {
    this.from = Math.min(this.day.to - length, Math.max(this.day.from, from));
    this.to = this.from + length;
  }
}
