/** The choice of the rendition: key, text and control. */

import { QUALITIES } from "./protocol.mjs";

const PREFERENCES = /** @type {QualityPreference[]} */ (["auto", ...QUALITIES]);

/** Returns the choice after `preference` when the key is pressed. @param {QualityPreference} preference */
export function nextPreference(preference) {
  return PREFERENCES[(PREFERENCES.indexOf(preference) + 1) % PREFERENCES.length];
}

/**
 * Returns the text of a choice; for `auto`, with the rendition that is received.
 * @param {Words["qualities"]} words
 * @param {QualityPreference} preference
 * @param {Quality | null} quality
 */
export function choiceText(words, preference, quality) {
  return words[preference === "auto" && quality ? `auto-${quality}` : preference];
}

/** An invisible `<select>`, for which each device has its own dialog, over a text that fits into the control bar. */
export class QualityControl {
  /** the current choice, for screen readers */
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
    this.box.dataset.short = qualities[preference];
    for (const option of this.select.options) setText(option, option.selected ? shown : qualities[option.value]);
  }
}

/** Sets a text only if it differs, because an open list would flicker. @param {HTMLElement} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
