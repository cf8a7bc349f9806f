/** Plays all recordings as one film: one video element shows, the other one has the next file ready. */

import { Reel } from "./reel.mjs";
import { Film, JOIN } from "./timeline.mjs";

/** Seconds before the end of a file at which the next one is loaded. */
const AHEAD = 20;
/** An open file must have grown by this much to play on, in seconds. */
const GROWN = 4;
/** Used until the distance of two pictures is known, in seconds. */
const FRAME = 1 / 30;

export class FilmPlayer {
  film = new Film([]);
  /** all recordings, also those that are no part of the film @type {readonly Recording[]} */
  recordings = [];
  /** Whether it should play; also true while it loads. */
  playing = false;
  /** Whether it waits at the end of what is being recorded. */
  atEdge = false;
  /** Where a seek goes that has not been shown yet, in Unix seconds. @type {number | null} */
  target = null;
  /** index of the active reel */
  shown = 0;
  #frame = FRAME;
  /** What the standing-by reel is being loaded with. @type {string} */
  #preloading = "";
  #seeks = 0;

  /**
   * @param {HTMLVideoElement[]} videos  two
   * @param {FilmPlayerPorts} ports
   */
  constructor(videos, ports) {
    this.reels = videos.map((video) => new Reel(video));
    this.ports = ports;
    for (const reel of this.reels) this.#listen(reel);
    this.#show(0);
  }

  get active() {
    return this.reels[this.shown];
  }

  get standby() {
    return this.reels[1 - this.shown];
  }

  /** The time on the axis, in Unix seconds; null before anything was shown. */
  get time() {
    return this.target ?? this.active.time;
  }

  /** The time of the film; null if a timelapse is shown, whose pictures have no time on the axis. */
  get filmTime() {
    return this.recording?.kind === "timelapse" && this.target === null ? null : this.time;
  }

  /** The recording that plays, as it is now. @returns {Recording | null} */
  get recording() {
    const number = this.active.recording?.number;
    return this.recordings.find((one) => one.number === number) ?? null;
  }

  /** @param {readonly Recording[]} recordings  in any order */
  update(recordings) {
    this.recordings = recordings;
    this.film = new Film(recordings);
    this.#preload();
    if (this.atEdge && this.playing && this.#next()) this.#advance();
  }

  /** Shows a time, or the next one with a picture. @param {number} time */
  async seek(time) {
    const place = this.film.near(time, this.recording);
    if (place) await this.#seek(place);
  }

  /** Shows a moment of this recording, even if another one has the same time. @param {Recording} recording @param {number} [offset] */
  async open(recording, offset = 0) {
    await this.#seek({ recording, offset });
  }

  play() {
    this.playing = true;
    const { video } = this.active;
    if (this.target !== null) return this.ports.changed(); // it plays once that is there
    if (this.active.recording && (video.ended || this.atEdge)) this.#advance();
    else this.#start(video);
    this.ports.changed();
  }

  pause() {
    this.playing = false;
    this.active.video.pause();
    this.ports.changed();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Shows the next picture, or the one before. @param {1 | -1} direction */
  step(direction) {
    this.pause();
    this.move(direction * this.#frame);
  }

  /** Moves by seconds of what is shown: in the film backwards over a gap, too; a timelapse is not left. @param {number} seconds */
  move(seconds) {
    const { time, recording } = this;
    if (time === null) return;
    if (recording?.kind === "timelapse") {
      this.open(recording, Math.min(Math.max(time + seconds - recording.started, 0), recording.duration));
      return;
    }
    const gap = seconds < 0 ? this.film.gap(time + seconds) : null;
    this.seek(gap && gap.from !== null ? gap.from + seconds : time + seconds);
  }

  /** Applies to both elements. @param {"muted" | "volume" | "playbackRate"} property @param {any} value */
  set(property, value) {
    for (const { video } of this.reels) /** @type {any} */ (video)[property] = value;
    if (property === "playbackRate") for (const { video } of this.reels) video.defaultPlaybackRate = value;
    this.ports.changed();
  }

  /** Forgets what is shown, if it was deleted. @param {number} number  of the recording */
  forget(number) {
    for (const reel of this.reels) if (reel.recording?.number === number) reel.clear();
    this.#preloading = "";
  }

  /** @param {Place} place */
  async #seek(place) {
    const seek = ++this.#seeks;
    this.target = place.recording.started + place.offset;
    this.atEdge = false;
    this.ports.changed();
    const index = this.active.has(place) ? this.shown : 1 - this.shown;
    const reel = this.reels[index];
    try {
      const isShown = await reel.show(place, this.ports.url(place.recording));
      if (!isShown || seek !== this.#seeks) return;
      this.target = null;
      this.#show(index);
      if (this.playing) this.#start(reel.video);
      this.#preload();
    } catch {
      if (seek === this.#seeks) this.#failed(place.recording);
    }
    this.ports.changed();
  }

  /** @param {Recording} recording */
  #failed(recording) {
    this.target = null;
    this.playing = false;
    this.ports.failed(recording);
  }

  /** Returns what plays after the active reel: the rest of a file that has grown, or another file. @returns {Place | null} */
  #next() {
    const { recording, active } = this;
    if (!recording) return null;
    if (recording.duration > active.loaded + (recording.open ? GROWN : 0)) return { recording, offset: active.end };
    return recording.kind === "timelapse" ? null : this.film.after(recording);
  }

  /** Loads what comes next, shortly before it is needed. */
  #preload() {
    const { active, standby } = this;
    const isNear = active.recording && this.target === null && active.end - active.video.currentTime < AHEAD * active.video.playbackRate;
    const next = isNear ? this.#next() : null;
    const key = next ? `${next.recording.number} ${next.offset} ${next.recording.duration}` : "";
    if (!next || key === this.#preloading) return;
    this.#preloading = key;
    if (next.recording.number === active.recording?.number) standby.recording = null; // the same file has grown
    standby.show(next, this.ports.url(next.recording)).catch(() => (this.#preloading = ""));
  }

  /** Goes on with what comes next, or waits for more, or ends. */
  #advance() {
    const next = this.#next();
    if (!next) return this.#end();
    const gap = { from: this.active.recording ? this.active.recording.started + this.active.end : 0, to: next.recording.started };
    if (gap.to - gap.from > JOIN) this.ports.crossed(gap);
    this.atEdge = false;
    const { standby } = this;
    const isReady = standby.has(next) && standby.video.readyState >= 2 && Math.abs(standby.video.currentTime - next.offset) < 0.1;
    if (!isReady) return void this.#seek(next);
    this.#show(1 - this.shown);
    this.#start(standby.video);
    this.ports.changed();
  }

  #end() {
    this.atEdge = this.recording?.open === true;
    if (!this.atEdge) this.playing = false;
    this.ports.ended(this.atEdge);
    this.ports.changed();
  }

  /** @param {number} index */
  #show(index) {
    this.shown = index;
    this.#preloading = "";
    this.reels.forEach(({ video }, other) => {
      video.classList.toggle("shown", other === index);
      if (other !== index) video.pause();
    });
  }

  /** @param {HTMLVideoElement} video */
  async #start(video) {
    try {
      await video.play();
    } catch (error) {
      if (/** @type {any} */ (error).name !== "NotAllowedError") return; // paused or replaced meanwhile
      this.playing = false;
      this.ports.changed();
    }
  }

  /** @param {Reel} reel */
  #listen(reel) {
    const { video } = reel;
    const when = (/** @type {string} */ event, /** @type {() => void} */ action) =>
      video.addEventListener(event, () => reel === this.active && action());
    when("timeupdate", () => (this.#preload(), this.ports.moved()));
    when("ended", () => this.playing && this.target === null && this.#advance());
    when("waiting", () => this.ports.changed());
    when("playing", () => this.ports.changed());
    when("error", () => reel.recording && this.target === null && this.#failed(reel.recording));
    let last = 0;
    const measure = (/** @type {number} */ _, /** @type {VideoFrameCallbackMetadata} */ { mediaTime }) => {
      const step = mediaTime - last;
      if (!video.paused && step > 0.004 && step < 0.25 && video.playbackRate === 1) this.#frame = Math.min(step, this.#frame * 1.5);
      last = mediaTime;
      if (reel === this.active) this.ports.moved();
      video.requestVideoFrameCallback(measure);
    };
    video.requestVideoFrameCallback?.(measure);
  }
}

