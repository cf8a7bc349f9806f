/** The marks of the day as a row of buttons: each goes to its time, and can be removed. */

import { icon } from "./template.mjs";

/** Most marks in the row: the newest. */
const MOST = 50;

export class Flags {
  #shown = "";

  /** @param {HTMLElement} list @param {{ go: (time: number) => void; remove: (mark: number) => void }} ports */
  constructor(list, ports) {
    this.list = list;
    this.ports = ports;
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    this.list.ariaLabel = words.timeline.marks;
  }

  /** @param {Listing} listing @param {Span} day */
  show({ marks, change }, { from, to }) {
    const shown = marks.filter((mark) => mark >= from && mark < to).slice(-MOST);
    this.list.hidden = !shown.length;
    const state = JSON.stringify([shown, change]);
    if (state === this.#shown) return; // the focus stays
    this.#shown = state;
    this.list.replaceChildren(...shown.map((mark) => this.#flag(mark, change)));
  }

  /** @param {number} mark @param {boolean} change */
  #flag(mark, change) {
    const { words, format, ports } = this;
    const item = document.createElement("li");
    const time = format?.clock(mark) ?? "";
    const button = (/** @type {string} */ name, /** @type {string} */ html, /** @type {() => void} */ action) => {
      const made = Object.assign(document.createElement("button"), { type: "button", innerHTML: html, ariaLabel: name, title: name });
      made.addEventListener("click", action);
      item.append(made);
    };
    button(words?.timeline.mark.replace("{time}", time) ?? "", time, () => ports.go(mark));
    if (change) button(words?.timeline.removeMark.replace("{time}", time) ?? "", icon("clear"), () => ports.remove(mark));
    return item;
  }
}
