/**
 * The element `<live-view>`: owns the DOM, and shows the view of its `Viewer` as text and as attributes (`data-state`, …)
 * for the CSS.
 */

import { Controls, cell } from "./controls.mjs";
import { began, signaling, tokens } from "./early.mjs";
import { LivePicture } from "./picture.mjs";
import { QualityControl, nextPreference } from "./quality.mjs";
import { lines } from "./stats.mjs";
import { tokenOf } from "./token.mjs";
import { Peer, hasMediaSource, noWebrtc, refusal, socketUrl, unplayable } from "./transports.mjs";
import { Viewer } from "./viewer.mjs";
import { describe, fill, forPointer, language, loadWords } from "./words.mjs";

/** Time between two calls of `Viewer.tick`, in ms. */
const TICK = 200;

export class LiveView extends HTMLElement {
  /** @type {Words | null} null until they are loaded */
  words = null;
  /** @type {LivePicture} */
  picture = new LivePicture(this.#part("video"), this.#part("canvas"), {
    frame: (now, timestamp) => this.viewer.frame(now, timestamp),
    sound: () => this.controls.showSound(this.viewer.view.sound, this.words),
  });
  controls = new Controls(this, this.picture, {
    pause: () => this.picture.toggle(),
    stats: () => this.#toggleStats(),
    quality: () => this.viewer.view.quality && this.#prefer(nextPreference(this.viewer.view.preference), true),
  });
  quality = new QualityControl(this.#part(".quality"), (preference) => this.#prefer(preference, false));
  /** @type {Viewer} */
  viewer = new Viewer({
    now: () => performance.now(),
    wall: Date.now,
    random: Math.random,
    hidden: () => document.hidden,
    token: () => tokens.token,
    signaling, refusal,
    peer: (offer, listener) => new Peer(offer, listener),
    player: async ({ url, ticket }, listener) => {
      const { Player } = await import("./player.mjs");
      return new Player({ url: socketUrl(url, location.href), ticket }, this.picture, listener);
    },
    picture: this.picture,
    unplayable: () => unplayable(window),
    noWebrtc: () => noWebrtc(window),
    hasMediaSource: () => hasMediaSource(window),
    changed: (view) => this.#show(view),
    reload: () => location.reload(),
    log: (text) => console.info(text),
  });
  /** the statistics on the page @type {Stats | null} */
  shownStats = null;

  connectedCallback() {
    this.#listen();
    this.viewer.joinFrom = began;
    this.viewer.start();
    const locale = language(navigator.languages);
    document.documentElement.lang = locale;
    loadWords(locale).then((words) => this.#setWords(words));
    if (new URLSearchParams(location.search).get("stats") === "1") this.#toggleStats();
  }

  /** @param {string} selector @returns {any} */
  #part(selector) {
    return this.querySelector(selector);
  }

  /** @param {Words} texts */
  #setWords(texts) {
    const words = (this.words = forPointer(texts, matchMedia("(pointer: fine)").matches));
    this.controls.label(words);
    this.#part(".stats").ariaLabel = words.controls.stats;
    this.#part(".token input").ariaLabel = this.#part(".token input").placeholder = words.token;
    this.#part(".token button").textContent = words.join;
    this.#show(this.viewer.view);
  }

  #listen() {
    const { viewer } = this;
    setInterval(() => viewer.tick(), TICK);
    addEventListener("online", () => viewer.wake());
    addEventListener("pagehide", () => viewer.stop());
    addEventListener("pageshow", (event) => event.persisted && viewer.start());
    addEventListener("hashchange", () => tokens.take(location, history) && (viewer.stop(), viewer.start()));
    document.addEventListener("visibilitychange", () => viewer.tick());
    this.#part(".action").addEventListener("click", () => viewer.fire(viewer.view.state === "blocked" ? "page:tap" : "page:try"));
    this.#part(".stage").addEventListener("click", () => viewer.fire("page:tap"));
    this.#part(".token").addEventListener("submit", (/** @type {Event} */ event) => this.#enterToken(event));
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
    this.#show(this.viewer.view);
  }

  /** @param {View} view */
  #show(view) {
    const { state, picture, transport, viewers, joinMs, latencyMs, quality } = view;
    for (const [name, value] of Object.entries({ state, picture, transport, viewers, joinMs, latencyMs, quality })) {
      const text = typeof value === "number" ? value.toFixed() : value;
      if (text === null) delete this.dataset[name];
      else if (this.dataset[name] !== text) this.dataset[name] = text;
    }
    this.controls.showSound(view.sound, this.words);
    if (this.words) this.quality.show(view, this.words);
    this.#showText(view);
    this.#showStats(view);
  }

  /** Updates the statistics once per second while they are shown. @param {View} view */
  #showStats(view) {
    const { words } = this;
    if (!words || this.#part(".stats").hidden || (this.shownStats && this.shownStats === view.stats)) return;
    this.shownStats = view.stats;
    const rows = lines(view, words).map(([key, text]) => [cell("dt", words.figures[key]), cell("dd", text ?? words.unknown)]);
    this.#part(".stats dl").replaceChildren(...rows.flat());
  }

  /** Updates texts, only where they have changed, because screen readers announce each change. @param {View} view */
  #showText(view) {
    const { words } = this;
    if (!words) return;
    const { title, detail, retry, action } = describe(words, view, location.origin);
    const count = view.viewers ?? 0;
    const texts = {
      h1: title, ".detail": detail, ".retry": retry, ".action": action, ".pill span": title, ".status": `${title} ${detail}`,
      ".count span": `${count}`, ".count .unseen": fill(words.viewers, { count }),
      ".note span": words.sound[`${this.dataset.sound}`],
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

customElements.define("live-view", LiveView);
