/** A part between an in mark and an out mark, and what the buttons below the timeline do with it. */

import { endOf } from "./timeline.mjs";

/** Longest part that can be saved as a clip, in seconds. */
export const MAX_CLIP = 3600;

/**
 * Returns the selection with another mark. A mark beyond the other one makes that disappear.
 * @param {PartMarks} selection @param {"in" | "out"} side @param {number} time @returns {PartMarks}
 */
export function marked(selection, side, time) {
  const other = side === "in" ? selection.out : selection.in;
  const isValid = other !== null && (side === "in" ? time < other : time > other);
  return side === "in" ? { in: time, out: isValid ? other : null } : { in: isValid ? other : null, out: time };
}

/** Returns the selected part, or null. @param {PartMarks} selection @returns {Span | null} */
export function partOf({ in: from, out: to }) {
  return from !== null && to !== null ? { from, to } : null;
}

/** The row of buttons for the part. */
export class SelectionView {
  /** @type {PartMarks} */
  selection = { in: null, out: null };

  /** @param {HTMLElement} root @param {() => void} changed */
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    this.root.ariaLabel = words.cut.label;
    /** @type {Record<string, string>} */
    const names = { markIn: "in", markOut: "out", clip: "save", download: "download", share: "share" };
    for (const [command, name] of Object.entries(names)) {
      this.part(`[data-command=${command}] span`).textContent = words.cut[name];
      this.part(`[data-command=${command}]`).title = this.part(`[data-command=${command}]`).ariaLabel = words.cut[`${name}Name`];
    }
    this.part("[data-command=clear]").ariaLabel = this.part("[data-command=clear]").title = words.cut.clear;
  }

  /** The selected part, else null. */
  get span() {
    return partOf(this.selection);
  }

  /** @param {"in" | "out"} side @param {number | null} time */
  mark(side, time) {
    if (time !== null) this.selection = marked(this.selection, side, time);
    this.changed();
  }

  clear() {
    this.selection = { in: null, out: null };
    this.changed();
  }

  /** @param {Recording | null} recording  that plays @param {boolean} change  whether the user may save and share */
  draw(recording, change) {
    const { words, format, span, selection } = this;
    if (!words || !format) return;
    const one = selection.in ?? selection.out;
    this.part(".part").textContent = span
      ? `${format.exact(span.from)} – ${format.exact(span.to)} · ${format.duration(span.to - span.from)}`
      : one !== null
        ? words.cut.open.replace("{time}", format.exact(one))
        : recording
          ? words.cut.whole.replace("{range}", format.range(recording.started, endOf(recording)))
          : words.cut.hint;
    this.part("[data-command=clear]").hidden = one === null;
    this.part("[data-command=markIn]").disabled = this.part("[data-command=markOut]").disabled = !recording || recording.kind === "timelapse";
    this.part("[data-command=clip]").disabled = !span || span.to - span.from > MAX_CLIP;
    this.part("[data-command=download]").disabled = !span && !recording;
    this.part("[data-command=share]").disabled = !span && !recording;
    for (const name of ["clip", "share"]) this.part(`[data-command=${name}]`).hidden = !change;
  }
}
