/** The picture and its controls: what it says about itself, speed, sound, full screen. */

/** How long a line is shown, in ms. */
const TOAST = 6000;

export class PlayerView {
  #toastTimer = 0;
  /** why nothing plays, in words */
  problem = "";

  /** @param {HTMLElement} root @param {import("./film-player.mjs").FilmPlayer} player */
  constructor(root, player) {
    this.root = root;
    this.player = player;
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
    this.screen = this.part(".screen");
    this.screen.addEventListener("click", (/** @type {Event} */ event) => {
      if (!(/** @type {HTMLElement} */ (event.target).closest("a, button")) && player.time !== null) player.toggle();
    });
    this.screen.addEventListener("dblclick", () => this.toggleFull());
    this.part(".speed select").addEventListener("change", () => player.set("playbackRate", Number(this.part(".speed select").value)));
    this.part("[data-command=full]").hidden = !document.fullscreenEnabled && !("webkitEnterFullscreen" in HTMLVideoElement.prototype);
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    const { player, timeline } = words;
    this.part(".transport").ariaLabel = player.label;
    this.part(".axis").ariaLabel = timeline.label;
    this.part(".speed .unseen").textContent = player.speed;
    this.part(".edge a span").textContent = player.watchLive;
    for (const option of this.part(".speed select").options) Object.assign(option, { value: option.textContent.replace("×", ""), textContent: `${Number.parseFloat(option.textContent)}×` });
    /** @type {Record<string, string>} */
    const names = {
      previousDay: words.day.previous, nextDay: words.day.next, back: `${player.back} (←)`, forward: `${player.forward} (→)`, mute: `${player.mute} (m)`,
      full: `${player.full} (f)`, help: `${player.help} (?)`, zoomIn: `${timeline.zoomIn} (+)`, zoomOut: `${timeline.zoomOut} (-)`, whole: timeline.whole,
    };
    for (const [command, name] of Object.entries(names)) this.#name(command, name);
    for (const video of this.screen.querySelectorAll("video")) video.ariaLabel = player.label;
  }

  /** Updates everything but the clock. @param {boolean} hasRecordings  on this day */
  draw(hasRecordings) {
    const { player, words } = this;
    if (!words) return;
    const { video } = player.active;
    const isLoading = player.target !== null || (player.playing && video.readyState < 3 && !player.atEdge);
    const state = player.time === null ? "idle" : player.atEdge ? "edge" : isLoading ? "loading" : player.playing ? "playing" : "paused";
    if (player.target !== null) this.problem = "";
    this.screen.dataset.state = this.problem ? "failed" : state;
    this.part(".cover").textContent = this.problem || (player.time !== null ? "" : hasRecordings ? words.player.choose : words.list.noDay);
    this.part(".edge").hidden = state !== "edge";
    this.part(".edge span").textContent = words.player.edge;
    this.part(".edge a").hidden = !this.part(".edge a").getAttribute("href");
    this.part(".transport").dataset.playing = String(player.playing);
    this.part(".transport").dataset.muted = String(video.muted);
    this.#name("play", `${player.playing ? words.player.pause : words.player.play} (k)`);
    this.part(".transport [data-command=mute]").ariaPressed = String(!video.muted);
    this.drawClock();
  }

  drawClock() {
    const { time, filmTime, recording } = this.player;
    const { format } = this;
    const text = time === null || !format ? "–" : filmTime !== null || !recording ? format.exact(time) : format.duration(time - recording.started);
    if (this.part(".clock").textContent !== text) this.part(".clock").textContent = text;
  }

  /** Shows a line for a while, and announces it. @param {string} text */
  tell(text) {
    clearTimeout(this.#toastTimer);
    const toast = this.part(".toast");
    toast.textContent = text;
    this.#toastTimer = window.setTimeout(() => (toast.textContent = ""), TOAST);
  }

  /** Says what was skipped. @param {Span} gap */
  crossed({ from, to }) {
    const { words, format } = this;
    if (!words || !format) return;
    const [begin, end] = format.range(from, to).split(" – ");
    this.tell(words.player.gap.replace("{from}", begin).replace("{to}", end));
  }

  /** The recording cannot be played. */
  failed() {
    this.problem = this.words?.player.failed ?? "";
  }

  async toggleFull() {
    const { screen } = this;
    if (document.fullscreenElement) return document.exitFullscreen();
    if (document.fullscreenEnabled) return screen.requestFullscreen({ navigationUI: "hide" }).catch(() => {});
    /** @type {any} because of Safari's own method */ (this.player.active.video).webkitEnterFullscreen?.();
  }

  /** @param {string} command @param {string} name */
  #name(command, name) {
    for (const button of this.root.querySelectorAll(`[data-command=${command}]`)) Object.assign(button, { ariaLabel: name, title: name });
  }
}
