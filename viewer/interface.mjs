/** Texts, controls and panels of the page: everything beside the picture. Loaded after the first picture. */

import { Controls, cell } from "./controls.mjs";
import { tokens } from "./early.mjs";
import { QualityControl, nextPreference } from "./quality.mjs";
import { Meter, lines } from "./stats.mjs";
import { tokenOf } from "./token.mjs";
import { describe, fill, forPointer, loadWords } from "./words.mjs";

/** Returns the interface of a `<live-view>`, when its texts and its style are loaded. @param {import("./live-view.mjs").LiveView} live */
export async function load(live) {
  const [words] = await Promise.all([loadWords(live.locale), loadStyle()]);
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById("interface"));
  const parts = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  document.querySelector("link[rel=icon]")?.replaceWith(/** @type {Element} */ (parts.querySelector("link")));
  live.append(parts);
  return new Interface(live, forPointer(words, matchMedia("(pointer: fine)").matches));
}

/** Loads the style sheet of what is not in the page from the beginning. */
function loadStyle() {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("interface.css", import.meta.url).href });
  return new Promise((done, failed) => {
    link.onload = done;
    link.onerror = () => (link.remove(), failed(new Error(`cannot load ${link.href}`)));
    document.head.append(link);
  });
}

export class Interface {
  meter = new Meter();
  /** the statistics on the page @type {Stats | null} */
  shownStats = null;

  /** @param {import("./live-view.mjs").LiveView} live @param {Words} words */
  constructor(live, words) {
    this.live = live;
    this.words = words;
    this.viewer = live.viewer;
    this.controls = new Controls(live, live.picture, {
      pause: () => live.picture.toggle(),
      stats: () => this.#toggleStats(),
      quality: () => this.viewer.view.quality && this.#prefer(nextPreference(this.viewer.view.preference), true),
    });
    this.quality = new QualityControl(this.#part(".quality"), (preference) => this.#prefer(preference, false));
    this.#label();
    this.#part(".action").addEventListener("click", () => this.viewer.fire(this.viewer.view.state === "blocked" ? "page:tap" : "page:try"));
    this.#part(".token").addEventListener("submit", (/** @type {Event} */ event) => this.#enterToken(event));
    if (new URLSearchParams(location.search).get("stats") === "1") this.#toggleStats();
  }

  /** @param {string} selector @returns {any} */
  #part(selector) {
    return this.live.querySelector(selector);
  }

  #label() {
    const { words } = this;
    this.controls.label(words);
    this.#part(".stats").ariaLabel = words.controls.stats;
    this.#part(".token input").ariaLabel = this.#part(".token input").placeholder = words.token;
    this.#part(".token button").textContent = words.join;
  }

  /** @param {Event} event */
  #enterToken(event) {
    event.preventDefault();
    const field = this.#part(".token input");
    const token = field.value.trim();
    if (!token) return;
    field.value = "";
    tokens.keep(tokenOf(token.slice(token.indexOf("#"))) ?? token); // also accepts a whole link
    this.viewer.fire("page:token");
  }

  /** @param {QualityPreference} preference @param {boolean} aloud  announce it to screen readers, because the control has no focus */
  #prefer(preference, aloud) {
    this.viewer.prefer(preference);
    this.controls.showControls();
    this.#part(".said").textContent = aloud ? this.quality.text : "";
  }

  #toggleStats() {
    const stats = this.#part(".stats");
    stats.hidden = !stats.hidden;
    this.#part("[data-command=stats]").ariaPressed = String(!stats.hidden);
    this.shownStats = null;
    this.#showStats(this.viewer.view);
  }

  /** @param {View} view */
  show(view) {
    this.showSound(view);
    this.quality.show(view, this.words);
    this.#showText(view);
    this.#showStats(view);
  }

  /** @param {View} view */
  showSound({ sound }) {
    this.controls.showSound(sound, this.words);
  }

  /** Updates the statistics once per second while they are shown. @param {View} view */
  #showStats(view) {
    const { words } = this;
    if (this.#part(".stats").hidden || (this.shownStats && this.shownStats === view.stats)) return;
    this.shownStats = view.stats;
    const rows = lines(view, words).map(([key, text]) => [cell("dt", words.figures[key]), cell("dd", text ?? words.unknown)]);
    this.#part(".stats dl").replaceChildren(...rows.flat());
  }

  /** Updates texts, only where they have changed, because screen readers announce each change. @param {View} view */
  #showText(view) {
    const { words } = this;
    const { title, detail, retry, action } = describe(words, view, location.origin);
    const count = view.viewers ?? 0;
    const texts = {
      h1: title, ".detail": detail, ".retry": retry, ".action": action, ".pill span": title, ".status": `${title} ${detail}`.trim(),
      ".count span": `${count}`, ".count .unseen": fill(words.viewers, { count }),
      ".note span": words.sound[`${this.live.dataset.sound}`],
    };
    for (const [selector, text] of Object.entries(texts)) {
      if (this.#part(selector).textContent !== text) this.#part(selector).textContent = text;
    }
    this.#part(".action").hidden = !action;
    this.#part(".token").hidden = view.state !== "denied";
    this.#part(".count").hidden = view.viewers === null;
    const sign = `#sign-${view.state}`;
    this.#part(".orb use").setAttribute("href", document.querySelector(sign) ? sign : "#sign-camera");
    document.title = `${title} · ${words.name}`;
  }
}
