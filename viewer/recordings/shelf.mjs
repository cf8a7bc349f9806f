/** The list of recordings and clips: of the day, or the starred ones of all days. */

import { icon } from "./template.mjs";
import { endOf } from "./timeline.mjs";
import { WindowedList } from "./windowed-list.mjs";

export class Shelf {
  /** @type {"day" | "kept"} */
  tab = "day";
  /** @type {readonly Recording[]} */
  recordings = [];
  /** @type {Span} */
  day = { from: 0, to: 0 };
  change = true;
  /** number of the recording that plays @type {number | null} */
  playing = null;

  /**
   * @param {HTMLElement} root
   * @param {ShelfPorts} ports
   */
  constructor(root, ports) {
    this.ports = ports;
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
    this.list = new WindowedList(this.part(".list"), this.part(".scroller"), {
      key: (/** @type {Recording} */ recording) => String(recording.number),
      version: (recording) => JSON.stringify([recording, recording.number === this.playing, this.change, this.tab]),
      render: (recording) => this.#row(recording),
    });
    this.part(".tabs").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#tabKey(event));
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    this.part(".tabs").ariaLabel = this.part(".list").ariaLabel = words.list.label;
    this.part("[data-command=showDay]").textContent = words.list.day;
    this.part("[data-command=showKept]").textContent = words.list.kept;
    this.part(".playlist").textContent = words.player.playlist;
  }

  /** @param {Listing} listing @param {Span} day */
  show({ recordings, change }, day) {
    this.recordings = recordings;
    this.change = change;
    this.day = day;
    this.draw();
  }

  /** @param {"day" | "kept"} tab */
  choose(tab) {
    this.tab = tab;
    this.part(".scroller").scrollTop = 0;
    this.draw();
  }

  /** @param {number | null} number  of the recording that plays */
  setPlaying(number) {
    if (number === this.playing) return;
    this.playing = number;
    this.draw();
    this.list.reveal(this.list.items.findIndex((recording) => recording.number === number));
  }

  draw() {
    const { words, tab, day, format } = this;
    if (!words || !format) return;
    for (const name of ["day", "kept"]) {
      const button = this.part(`[data-command=${name === "day" ? "showDay" : "showKept"}]`);
      button.ariaSelected = String(name === tab);
      button.tabIndex = name === tab ? 0 : -1;
    }
    const isShown = (/** @type {Recording} */ one) => (tab === "kept" ? one.kept : one.started < day.to && Math.max(endOf(one), one.started + 0.001) > day.from);
    const shown = this.recordings.filter(isShown).sort((a, b) => b.started - a.started);
    this.part(".none").hidden = shown.length > 0;
    this.part(".none").textContent = tab === "kept" ? words.list.noKept : words.list.noDay;
    const bytes = shown.reduce((sum, { size }) => sum + size, 0);
    this.part(".total").textContent = shown.length ? `${words.list.count.replace("{count}", shown.length.toLocaleString(format.locale))} · ${format.size(bytes)}` : "";
    this.part(".playlist").hidden = tab === "kept" || !shown.some(({ broken, kind }) => !broken && kind !== "timelapse");
    this.part(".playlist").href = this.ports.playlist(day);
    this.list.show(shown);
  }

  /** @param {Recording} recording */
  #row(recording) {
    const { words, format, ports } = this;
    const row = document.createElement("li");
    if (!words || !format) return row;
    const { started, duration, size, kept, open, broken, clock_set: isSure, kind } = recording;
    const time = `${isSure ? "" : "≈ "}${format.clock(started)}`;
    row.className = "item";
    row.dataset.number = String(recording.number);
    row.classList.toggle("playing", recording.number === this.playing);
    row.classList.toggle("broken", broken);
    row.innerHTML = `<button type="button" class="open" data-row="open"><span class="picture">${icon(broken ? "broken" : "film")}</span>
      <span class="text"><b></b><span class="what"></span></span></button>
      <span class="buttons"><button type="button" class="round" data-row="keep">${icon("star")}</button><a class="round" data-row="download">${icon("download")}</a><button type="button" class="round" data-row="remove">${icon("remove")}</button></span>`;
    const part = (/** @type {string} */ selector) => /** @type {any} */ (row.querySelector(selector));
    if (!isSure) part("b").title = words.unsure;
    part("b").textContent = this.tab === "kept" ? `${format.date(started, "short")}, ${time}` : time;
    const length = kind === "timelapse" ? words.list.timelapse : open ? words.list.open : broken ? words.list.broken : format.duration(duration);
    part(".what").textContent = open ? length : `${length} · ${format.size(size)}`;
    part(".what").classList.toggle("live", open);
    const fill = (/** @type {string} */ text) => text.replace("{time}", time);
    this.#name(part(".open"), broken ? words.list.brokenText : fill(words.list.play) + `, ${length}`);
    this.#name(part("[data-row=keep]"), fill(words.list.star));
    this.#name(part("[data-row=download]"), fill(words.list.download));
    this.#name(part("[data-row=remove]"), fill(words.list.remove));
    part(".open").disabled = broken || duration <= 0; // also when it has just begun
    part("[data-row=keep]").ariaPressed = String(kept);
    part("[data-row=download]").href = ports.download(recording);
    for (const name of ["keep", "remove"]) part(`[data-row=${name}]`).hidden = !this.change;
    part("[data-row=remove]").disabled = open;
    if (recording.number === this.playing) part(".open").ariaCurrent = "true";
    if (!broken) this.#addPicture(part(".picture"), recording);
    this.#listen(row, recording);
    return row;
  }

  /** @param {HTMLElement} element @param {string} text */
  #name(element, text) {
    element.ariaLabel = element.title = text;
  }

  /** @param {HTMLElement} box @param {Recording} recording */
  #addPicture(box, recording) {
    const picture = new Image();
    picture.alt = "";
    picture.decoding = "async";
    picture.addEventListener("error", () => picture.remove()); // the icon below it stays
    picture.src = this.ports.picture(recording);
    box.append(picture);
  }

  /** @param {HTMLElement} row @param {Recording} recording */
  #listen(row, recording) {
    const when = (/** @type {string} */ name, /** @type {(recording: Recording) => void} */ action) =>
      row.querySelector(`[data-row=${name}]`)?.addEventListener("click", () => action(recording));
    when("open", this.ports.open);
    when("keep", this.ports.keep);
    when("remove", this.ports.remove);
  }

  /** @param {KeyboardEvent} event */
  #tabKey(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    this.choose(this.tab === "day" ? "kept" : "day");
    this.part(`[role=tab][tabindex="0"]`).focus();
  }
}

