/**
 * The element `<live-view>`: shows the picture and the view of its `Viewer` as attributes (`data-state`, …) for the CSS. Texts
 * and controls are loaded after the first picture, or when the viewer has to read something.
 */

import { began, signaling, tokens } from "./early.mjs";
import { language } from "./language.mjs";
import { LivePicture } from "./picture.mjs";
import { Peer, hasMediaSource, noWebrtc, refusal, socketUrl, unplayable } from "./transports.mjs";
import { Viewer } from "./viewer.mjs";

/** Time between two calls of `Viewer.tick`, in ms. */
const TICK = 200;
/** Time in ms after which the page says that it is connecting: showing text takes time, which would delay the picture. */
const SILENCE = 300;
/** Time in ms after which texts and controls are loaded even if there is no picture. */
const PATIENCE = 1000;
/** Time in ms after which loading them is tried again. */
const RETRY = 2000;

export class LiveView extends HTMLElement {
  /** null until it is loaded @type {import("./interface.mjs").Interface | null} */
  interface = null;
  isLoading = false;
  /** @type {LivePicture} */
  picture = new LivePicture(this.#part("video"), this.#part("canvas"), {
    frame: (now, timestamp) => this.viewer.frame(now, timestamp),
    sound: () => this.interface?.showSound(this.viewer.view),
  });
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
    meter: () => this.interface?.meter ?? null,
    unplayable: () => unplayable(window),
    noWebrtc: () => noWebrtc(window),
    hasMediaSource: () => hasMediaSource(window),
    changed: (view) => this.#show(view),
    reload: () => location.reload(),
    log: (text) => console.info(text),
  });
  locale = language(navigator.languages);
  /** the texts of the states that come before the interface @type {Record<string, string>} */
  firstWords = JSON.parse(document.getElementById("first-words")?.textContent ?? "{}")[this.locale] ?? {};

  connectedCallback() {
    document.documentElement.lang = this.locale;
    this.#listen();
    this.viewer.joinFrom = began;
    this.viewer.start();
    setTimeout(() => this.#showFirstWords(), SILENCE);
    setTimeout(() => this.#load(), PATIENCE);
  }

  /** @param {string} selector @returns {any} */
  #part(selector) {
    return this.querySelector(selector);
  }

  #listen() {
    const { viewer } = this;
    setInterval(() => viewer.tick(), TICK);
    addEventListener("online", () => viewer.wake());
    addEventListener("pagehide", () => viewer.stop());
    addEventListener("pageshow", (event) => event.persisted && viewer.start());
    addEventListener("hashchange", () => tokens.take(location, history) && (viewer.stop(), viewer.start()));
    document.addEventListener("visibilitychange", () => viewer.tick());
    this.#part(".stage").addEventListener("click", () => viewer.fire("page:tap"));
  }

  /** @param {View} view */
  #show(view) {
    const { state, picture, transport, viewers, joinMs, latencyMs, quality } = view;
    for (const [name, value] of Object.entries({ state, picture, transport, viewers, joinMs, latencyMs, quality })) {
      const text = typeof value === "number" ? value.toFixed() : value;
      if (text === null) delete this.dataset[name];
      else if (this.dataset[name] !== text) this.dataset[name] = text;
    }
    if (this.interface) return this.interface.show(view);
    if (state === "connecting") return;
    this.#showFirstWords();
    setTimeout(() => this.#load());
  }

  /** Shows the state, as long as the interface does not. */
  #showFirstWords() {
    this.#part(".card").hidden = false;
    const title = this.firstWords[this.viewer.view.state];
    if (this.interface || !title || this.#part("h1").textContent === title) return;
    for (const selector of ["h1", ".pill span", ".status"]) this.#part(selector).textContent = title;
    document.title = `${title} · ${this.firstWords.name}`;
  }

  /** Loads texts and controls; tries again until that succeeds. @param {number} [attempt] */
  async #load(attempt = 0) {
    if (attempt === 0 && this.isLoading) return;
    this.isLoading = true;
    try {
      // Browsers remember that a module could not be loaded, so that each attempt needs another address.
      const { load } = /** @type {typeof import("./interface.mjs")} */ (await import("./interface.mjs" + (attempt ? `?${attempt}` : "")));
      this.interface = await load(this);
      this.interface.show(this.viewer.view);
    } catch (error) {
      console.info(String(error));
      setTimeout(() => this.#load(attempt + 1), RETRY);
    }
  }
}

customElements.define("live-view", LiveView);
