/** Which rendition the viewer wants. */

import { QUALITIES } from "./protocol.mjs";

const PREFERENCES = /** @type {QualityPreference[]} */ (["auto", ...QUALITIES]);

/** The choice that the key makes next. @param {QualityPreference} preference */
export function nextPreference(preference) {
  return PREFERENCES[(PREFERENCES.indexOf(preference) + 1) % PREFERENCES.length];
}

/**
 * A choice in words; `auto` says also what is received.
 * @param {Words["qualities"]} words
 * @param {QualityPreference} preference
 * @param {Quality | null} quality
 */
export function choiceText(words, preference, quality) {
  return words[preference === "auto" && quality ? `auto-${quality}` : preference];
}

/** A `<select>`, which every device has its own way to show; unseen, over a text that fits into the bar. */
export class QualityControl {
  /** what is chosen, for screen readers */
  text = "";

  /** @param {HTMLElement} box @param {(preference: QualityPreference) => void} choose */
  constructor(box, choose) {
    this.box = box;
    this.face = /** @type {HTMLElement} */ (box.querySelector("span"));
    this.select = /** @type {HTMLSelectElement} */ (box.querySelector("select"));
    this.select.addEventListener("change", () => choose(/** @type {QualityPreference} */ (this.select.value)));
  }

  /** @param {Pick<View, "quality" | "preference">} view @param {Words} words */
  show({ quality, preference }, { controls, qualities }) {
    const shown = choiceText(qualities, preference, quality);
    this.box.hidden = quality === null;
    this.text = `${controls.quality}: ${shown}`;
    this.select.ariaLabel = this.box.title = `${controls.quality} (q)`;
    this.select.value = preference;
    setText(this.face, shown);
    for (const option of this.select.options) setText(option, option.selected ? shown : qualities[option.value]);
  }
}

/** Changes a text only where it differs: an open list would flicker. @param {HTMLElement} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
