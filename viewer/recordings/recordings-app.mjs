/** What `<recordings-view>` consists of: connects the list of recordings with timeline, film, shelf and buttons. */

import { language } from "../language.mjs";
import { loadWords } from "../words.mjs";
import { Actions } from "./actions.mjs";
import { RecordingsApi } from "./api.mjs";
import { commandsOf } from "./commands.mjs";
import { DayPicker } from "./day-picker.mjs";
import { dayOf, recordedDays, spanOfDay } from "./days.mjs";
import { fillHelp } from "./dialogs.mjs";
import { FilmPlayer } from "./film-player.mjs";
import { Flags } from "./flags.mjs";
import { Format } from "./format.mjs";
import { command } from "./keys.mjs";
import { merged, withOpen } from "./listing.mjs";
import { PlayerView } from "./player-view.mjs";
import { SelectionView } from "./selection.mjs";
import { Shelf } from "./shelf.mjs";
import { StatusView, noticeOf } from "./status.mjs";
import { template } from "./template.mjs";
import { TimelineView } from "./timeline-view.mjs";

/** Time between two requests for what is new, in ms. */
const REFRESH = 5000;
/** Time between two requests of the whole list, and of access for a viewer, in ms. */
const WHOLE = 300_000;
/** What may still change without a request from here: as much as the longest file, in seconds. */
const RECENT = 3600;
/** At first, this much of the end is shown, in seconds. */
const LATEST = 60;

export class RecordingsApp {
  /** @type {RecordingsWords | null} */
  words = null;
  /** @type {Listing | null} */
  listing = null;
  day = dayOf(Date.now() / 1000);
  /** @type {{ from: string; span: Span }} */
  #daySpan = { from: "", span: { from: 0, to: 0 } };
  #timer = 0;
  /** when the whole list was requested */
  #whole = -Infinity;
  #isDue = false;

  /** @param {HTMLElement} view */
  constructor(view) {
    this.view = view;
    view.innerHTML = template(Number(view.getAttribute("level")) || 2);
    const part = this.part;
    this.api = new RecordingsApi(new URL(view.getAttribute("api") ?? "", document.baseURI).href);
    this.status = new StatusView(view);
    this.timeline = new TimelineView(part(".timeline"), { seek: (time) => this.seek(time), picture: (recording, at) => this.api.picture(recording, at) });
    this.player = new FilmPlayer([...view.querySelectorAll("video")], {
      url: (recording) => this.api.source(recording),
      changed: () => this.draw(),
      moved: () => this.#moved(),
      crossed: (gap) => this.screen.crossed(gap),
      ended: () => this.refresh(),
      failed: () => this.screen.failed(),
    });
    this.screen = new PlayerView(view, this.player);
    this.picker = new DayPicker(view, (day) => this.chooseDay(day));
    this.selection = new SelectionView(part(".cut"), () => this.draw());
    this.actions = new Actions(view, this.api, {
      tell: (text) => this.screen.tell(text), reload: () => this.refreshAll(), removing: ({ number }) => this.player.forget(number),
    });
    this.shelf = new Shelf(part(".shelf"), {
      picture: (recording) => this.api.picture(recording), download: (recording) => this.api.download(recording), playlist: (day) => this.api.playlist(day),
      open: (recording) => this.open(recording), keep: (recording) => this.actions.keep(recording), remove: (recording) => this.actions.remove(recording),
    });
    this.flags = new Flags(part(".flags"), { go: (time) => this.seek(time), remove: (mark) => this.actions.removeMark(mark) });
    /** @type {Record<string, () => unknown>} */
    this.commands = commandsOf(this);
    this.#listen();
  }

  /** @param {string} selector */
  part = (selector) => /** @type {HTMLElement} */ (this.view.querySelector(selector));

  start() {
    const locale = language(navigator.languages);
    loadWords(locale, new URL("./", import.meta.url)).then((words) => this.#setWords(words, locale));
    document.addEventListener("keydown", this.#pressed);
    document.addEventListener("visibilitychange", this.refresh);
  }

  stop() {
    clearTimeout(this.#timer);
    this.player.pause();
    document.removeEventListener("keydown", this.#pressed);
    document.removeEventListener("visibilitychange", this.refresh);
  }

  /** Requests the whole list. */
  refreshAll() {
    this.#whole = -Infinity;
    return this.refresh();
  }

  /** Requests what is new now, and again after a while. */
  refresh = async () => {
    clearTimeout(this.#timer);
    if (!this.words || document.hidden) return;
    try {
      await this.#request();
    } catch (error) {
      this.#refused(error);
    }
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(this.refresh, REFRESH);
  };

  /** @param {string} day @param {boolean} [move]  also shows its first picture */
  chooseDay(day, move = true) {
    this.day = day;
    const { from, to } = this.span;
    const first = this.player.film.between(from, to)[0];
    if (move && first) this.player.seek(Math.max(first.started, from));
    this.#showDay();
    this.timeline.fit();
  }

  /** @param {number} time */
  seek(time) {
    if (!this.player.film.recordings.length) return;
    this.player.seek(time);
    this.player.play();
  }

  /** @param {Recording} recording */
  open(recording) {
    if (recording.broken) return;
    this.#follow(recording.started);
    this.player.open(recording);
    this.player.play();
  }

  /** The chosen day, in Unix seconds. */
  get span() {
    if (this.#daySpan.from !== this.day) this.#daySpan = { from: this.day, span: spanOfDay(this.day) };
    return this.#daySpan.span;
  }

  /** Shows the state of the player and of the buttons. */
  draw() {
    if (!this.words) return;
    const { player, span, listing } = this;
    this.screen.draw(player.film.between(span.from, span.to).length > 0);
    this.selection.draw(player.recording, listing?.change === true);
    this.shelf.setPlaying(player.target === null ? (player.recording?.number ?? null) : this.shelf.playing);
    this.timeline.setSelection(this.selection.selection);
    this.#moved();
  }

  /** @param {RecordingsWords} words @param {string} locale */
  #setWords(words, locale) {
    const regional = navigator.languages.find((tag) => tag.toLowerCase().startsWith(locale)) ?? locale;
    const format = new Format(regional);
    this.words = words;
    for (const view of [this.status, this.timeline, this.screen, this.picker, this.selection, this.actions, this.shelf, this.flags]) view.label(words, format);
    fillHelp(/** @type {HTMLDialogElement} */ (this.part("dialog.help")), words);
    this.status.notice("loading");
    this.refresh();
  }

  async #request() {
    const old = this.listing;
    const now = performance.now();
    if (old && now - this.#whole < WHOLE) {
      const from = Math.floor(old.now - RECENT);
      return this.#setListing(merged(old, await this.api.list(from), from));
    }
    if (old) await this.api.renew();
    this.#setListing(await this.api.list());
    this.#whole = now;
  }

  /** @param {Listing} listing */
  #setListing(listing) {
    const isFirst = this.listing === null;
    this.listing = withOpen(listing);
    const { recordings } = this.listing;
    this.status.show(this.listing);
    this.status.notice(recordings.length ? null : listing.recorder?.state === "off" ? "off" : "empty");
    this.player.update(recordings);
    const days = recordedDays(recordings);
    const { end } = this.player.film;
    if (isFirst && end !== null) {
      this.player.seek(end - LATEST);
      this.chooseDay(days[days.length - 1], false);
    } else this.#showDay();
  }

  #showDay() {
    if (!this.listing) return;
    this.picker.show(this.day, recordedDays(this.listing.recordings));
    this.timeline.setDay(this.span, this.listing);
    this.shelf.show(this.listing, this.span);
    this.flags.show(this.listing, this.span);
    this.draw();
  }

  /** @param {unknown} error */
  #refused(error) {
    const name = noticeOf(error, false);
    const isPassing = name === "unreachable" && this.listing !== null;
    if (isPassing) this.status.banner(`${this.words?.notice.unreachable.title} ${this.words?.notice.unreachable.detail}`);
    else this.status.notice(name, /** @type {Error} */ (error).message);
    if (!isPassing) this.listing = null;
  }

  /** @param {Event} event */
  async #signIn(event) {
    event.preventDefault();
    const field = /** @type {HTMLInputElement} */ (this.part(".token .secret"));
    try {
      await this.api.signIn(field.value.trim());
      field.value = "";
      await this.refreshAll();
    } catch (error) {
      this.status.notice(noticeOf(error, true), /** @type {Error} */ (error).message);
    }
  }

  /** Follows the film: its time, its day. It is drawn once per frame of the screen. */
  #moved() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      const time = this.player.filmTime;
      if (time !== null && this.player.playing) this.#follow(time);
      this.timeline.setPosition(time);
      this.screen.drawClock();
    });
  }

  /** Shows the day of a time. @param {number} time */
  #follow(time) {
    if (time >= this.span.from && time < this.span.to) return;
    this.day = dayOf(time);
    this.#showDay();
  }

  #listen() {
    const { view } = this;
    const live = view.getAttribute("live");
    this.part(".head .live").hidden = live === null;
    for (const link of view.querySelectorAll(".head .live, .edge a")) if (live !== null) link.setAttribute("href", live);
    view.addEventListener("click", (event) => {
      const button = /** @type {HTMLElement} */ (event.target).closest("[data-command]");
      if (button) this.commands[/** @type {HTMLElement} */ (button).dataset.command ?? ""]?.();
    });
    this.part(".token").addEventListener("submit", (event) => this.#signIn(event));
  }

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    const target = /** @type {Node} */ (event.target);
    const isOurs = this.view.contains(target) || target === document.body;
    const action = isOurs && this.listing && this.view.checkVisibility?.() !== false ? command(event) : null;
    if (!action) return;
    event.preventDefault();
    this.commands[action]();
  };
}
