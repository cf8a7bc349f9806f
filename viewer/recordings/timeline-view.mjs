/** The timeline of a day: what is recorded, gaps, marks, kept clips, the position; it is a slider for screen readers. */

import { watchGestures } from "./gestures.mjs";
import { Preview } from "./preview.mjs";
import { Scale } from "./scale.mjs";
import { Film, gapsOf, spansOf } from "./timeline.mjs";

/** Least distance of two labels, and least width of a gap that has its words in it, in pixels. */
const LABEL_WIDTH = 62;
const GAP_WIDTH = 190;
/** Most marks that are drawn. */
const MARKS = 200;
/** Zoom of one press. */
const STEP = 1.6;
/** The least that is shown of a day with few recordings, in seconds. */
const SHORT = 1800;

export class TimelineView {
  scale = new Scale({ from: 0, to: 86_400 });
  film = new Film([]);
  /** @type {Span[]} */
  spans = [];
  /** @type {Span[]} */
  gaps = [];
  /** @type {Span[]} */
  kept = [];
  /** @type {number[]} */
  marks = [];
  /** @type {number | null} */
  position = null;
  /** @type {PartMarks} */
  selection = { in: null, out: null };
  now = Infinity;

  /**
   * @param {HTMLElement} root
   * @param {{ seek: (time: number) => void; picture: (recording: Recording, at: number) => string }} ports
   */
  constructor(root, ports) {
    this.ports = ports;
    this.part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    this.axis = this.part(".axis");
    this.preview = new Preview(this.part(".preview"), (time) => this.#pictureAt(time));
    watchGestures(this.axis, {
      hover: (fraction) => this.#hover(fraction),
      leave: () => this.#leave(),
      choose: (fraction) => ports.seek(this.scale.time(fraction)),
      zoom: (factor, fraction) => this.#zoom(factor, this.scale.time(fraction)),
      pan: (fraction) => (this.scale.pan(fraction * this.scale.length), this.draw()),
    });
    watchGestures(this.part(".overview"), {
      hover: () => {}, leave: () => {}, zoom: (factor) => this.zoom(factor), pan: () => {},
      choose: (fraction) => this.#centre(this.scale.day.from + fraction * (this.scale.day.to - this.scale.day.from)),
    });
    new ResizeObserver(() => this.draw()).observe(this.axis);
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
  }

  /** Shows another day, or the same one with more recordings. @param {Span} day @param {Listing} listing */
  setDay(day, listing) {
    if (day.from !== this.scale.day.from || day.to !== this.scale.day.to) this.scale = new Scale(day);
    this.film = new Film(listing.recordings);
    const inDay = this.film.between(day.from, day.to);
    this.now = listing.now;
    this.spans = spansOf(inDay, day.from, day.to);
    this.gaps = this.#gapsOfDay(day);
    this.kept = spansOf(inDay.filter((recording) => recording.kept), day.from, day.to, 0);
    this.marks = listing.marks.filter((mark) => mark >= day.from && mark < day.to);
    this.draw();
  }

  /** @param {number | null} time */
  setPosition(time) {
    this.position = time;
    if (time !== null && this.scale.reveal(time)) this.draw();
    else this.#drawPosition();
  }

  /** @param {PartMarks} selection */
  setSelection(selection) {
    this.selection = selection;
    this.draw();
  }

  /** @param {number} [factor]  more than 1: shows more of the day */
  zoom(factor = STEP) {
    const { scale, position } = this;
    const isVisible = position !== null && position >= scale.from && position <= scale.to;
    this.#zoom(factor, isVisible ? position : (scale.from + scale.to) / 2);
  }

  zoomIn() {
    this.zoom(1 / STEP);
  }

  /** Shows the part of the day in which something was recorded, if that is short. */
  fit() {
    const [first, last] = [this.spans[0], this.spans.at(-1)];
    this.scale = new Scale(this.scale.day);
    if (first && last) {
      const length = Math.max(last.to - first.from, SHORT);
      const middle = (first.from + last.to) / 2;
      if (length < this.scale.length / 3) this.scale.show(middle - length * 0.6, middle + length * 0.6);
    }
    this.draw();
  }

  wholeDay() {
    this.scale = new Scale(this.scale.day);
    this.draw();
  }

  /** Draws everything; the number of elements depends on the width only. */
  draw() {
    const { words, format } = this;
    const width = this.axis.clientWidth;
    if (!words || !format || !width) return;
    const { scale } = this;
    const { step, times } = scale.ticks(width, LABEL_WIDTH);
    this.#fill(".ticks", times.map((time) => ({ left: scale.fraction(time), text: format.clock(time, step < 60 ? "second" : "minute") })));
    this.#fill(".spans", scale.visible(this.spans, width));
    this.#fill(".gaps", scale.visible(this.gaps, width).map((gap) => (gap.width * width < GAP_WIDTH ? gap : { ...gap, text: this.gapText(gap) })));
    this.#fill(".clips", scale.visible(this.kept, width));
    const marks = this.marks.filter((mark) => mark >= scale.from && mark <= scale.to).slice(0, MARKS);
    this.#fill(".marks", marks.map((mark) => ({ left: scale.fraction(mark) })));
    this.#drawSelection();
    this.#drawOverview();
    this.#drawPosition();
  }

  /** @param {Gap} gap */
  gapText({ from, to }) {
    const { words, format } = this;
    if (!words || !format) return "";
    const time = (/** @type {number | null} */ value) => (value === null ? "" : format.clock(value, from !== null && to !== null && to - from < 120 ? "second" : "minute"));
    if (from !== null && to !== null) return words.timeline.gap.replace("{from}", time(from)).replace("{to}", time(to));
    return (from === null ? words.timeline.before : words.timeline.after).replace("{time}", time(from ?? to));
  }

  /** The gaps between recordings, and those to midnight, without what has not happened yet. @param {Span} day */
  #gapsOfDay(day) {
    const end = Math.min(day.to, Math.max(this.now, day.from));
    return gapsOf([{ from: day.from, to: day.from }, ...this.spans, { from: end, to: end }]).filter(({ from, to }) => to - from > 0.5);
  }

  /** @param {number} time */
  #pictureAt(time) {
    const place = this.film.at(time);
    if (!place) return null;
    const step = Math.max(2, 2 ** Math.round(Math.log2(this.scale.length / 400))); // so that neighbours share pictures
    return this.ports.picture(place.recording, Math.floor(place.offset / step) * step);
  }

  /** @param {number} fraction */
  #hover(fraction) {
    const { scale, format } = this;
    if (!format) return;
    const time = scale.time(fraction);
    const x = scale.fraction(time) * this.axis.clientWidth;
    const gap = this.film.gap(time);
    this.part(".cursor").hidden = false;
    this.part(".cursor").style.left = `${x}px`;
    this.preview.show(time, x, this.axis.clientWidth, gap && time <= this.now ? `${format.clock(time)} · ${this.gapText(gap)}` : format.clock(time));
  }

  #leave() {
    this.part(".cursor").hidden = true;
    this.preview.hide();
  }

  /** @param {number} factor @param {number} around */
  #zoom(factor, around) {
    this.scale.zoom(factor, around);
    this.draw();
  }

  /** @param {number} time */
  #centre(time) {
    const { length } = this.scale;
    this.scale.show(time - length / 2, time + length / 2);
    this.draw();
  }

  /** @param {string} selector @param {{ left: number; width?: number; text?: string }[]} items */
  #fill(selector, items) {
    const parent = this.part(selector);
    while (parent.childElementCount > items.length) parent.lastElementChild?.remove();
    while (parent.childElementCount < items.length) parent.append(document.createElement("i"));
    items.forEach(({ left, width, text = "" }, index) => {
      const element = /** @type {HTMLElement} */ (parent.children[index]);
      element.style.left = `${left * 100}%`;
      if (width !== undefined) element.style.width = `${width * 100}%`;
      if (element.textContent !== text) element.textContent = text;
    });
  }

  #drawSelection() {
    const { in: from, out: to } = this.selection;
    const edges = [from, to].filter((time) => time !== null);
    this.#fill(".edges", edges.map((time) => ({ left: this.scale.fraction(Number(time)) })).filter(({ left }) => left >= 0 && left <= 1));
    const isRange = from !== null && to !== null && to > from;
    this.#fill(".chosen", isRange ? this.scale.visible([{ from, to }], this.axis.clientWidth) : []);
  }

  #drawOverview() {
    const { scale } = this;
    const whole = scale.day.to - scale.day.from;
    this.part(".overview").hidden = scale.isWhole;
    const shown = this.part(".overview b");
    shown.style.left = `${((scale.from - scale.day.from) / whole) * 100}%`;
    shown.style.width = `${(scale.length / whole) * 100}%`;
    const day = new Scale(scale.day);
    this.#fill(".overview div", day.visible(this.spans, this.axis.clientWidth));
  }

  #drawPosition() {
    const { position, scale, axis } = this;
    const fraction = position === null ? -1 : scale.fraction(position);
    const head = this.part(".playhead");
    head.hidden = fraction < 0 || fraction > 1;
    head.style.translate = `${fraction * axis.clientWidth}px`;
    axis.ariaValueMin = "0";
    axis.ariaValueMax = String(Math.round(scale.day.to - scale.day.from));
    axis.ariaValueNow = String(Math.round((position ?? scale.day.from) - scale.day.from));
    axis.ariaValueText = this.#valueText();
  }

  #valueText() {
    const { position, format, words } = this;
    if (position === null || !format) return words?.timeline.nothing ?? "";
    const gap = this.film.gap(position);
    return gap ? `${format.clock(position)}, ${this.gapText(gap)}` : format.clock(position);
  }
}
