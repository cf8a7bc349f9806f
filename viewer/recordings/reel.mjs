/** One of the two video elements of the film: loads a recording, and shows a moment of it. */

/** Seconds within which a moment must be shown, before the file counts as unplayable. */
const LIMIT = 20;

export class Reel {
  /** @type {Recording | null} */
  recording = null;
  /** Seconds of the recording that were there when it was loaded. */
  loaded = 0;
  #ticket = 0;
  /** Ends the wait for an event that nobody needs any more. */
  #cancel = () => {};

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
  }

  /** The time of the picture, in Unix seconds; null while nothing is loaded. */
  get time() {
    return this.recording && this.recording.started + this.video.currentTime;
  }

  /** Where this reel ends, in seconds from the beginning of the recording. */
  get end() {
    return Number.isFinite(this.video.duration) ? this.video.duration : this.loaded;
  }

  /** Whether a place is in what is loaded. @param {Place} place */
  has({ recording, offset }) {
    return this.recording?.number === recording.number && !this.video.error && offset <= this.loaded;
  }

  /**
   * Shows a place; resolves once its picture is there, to false if another one was asked for meanwhile.
   * Rejects if the file cannot be played.
   * @param {Place} place @param {string} url
   */
  async show(place, url) {
    const ticket = this.#nextTicket();
    if (!this.has(place)) this.#load(place.recording, url);
    if (this.video.readyState === 0) await this.#wait("loadedmetadata");
    if (ticket !== this.#ticket) return false;
    const offset = Math.max(0, Math.min(place.offset, this.video.duration - 0.05));
    if (Math.abs(this.video.currentTime - offset) > 1e-3) {
      this.video.currentTime = offset;
      await this.#wait("seeked");
    } else if (this.video.readyState < 2) await this.#wait("loadeddata");
    return ticket === this.#ticket;
  }

  /** Forgets the file, which ends its download. */
  clear() {
    this.#nextTicket();
    this.recording = null;
    this.video.removeAttribute("src");
    this.video.load();
  }

  #nextTicket() {
    this.#cancel();
    return ++this.#ticket;
  }

  /** @param {Recording} recording @param {string} url */
  #load(recording, url) {
    this.recording = recording;
    this.loaded = recording.duration;
    this.video.src = url;
  }

  /** Waits for an event of the element; rejects if the file cannot be played. @param {string} event @returns {Promise<void>} */
  #wait(event) {
    const { video } = this;
    return new Promise((resolve, reject) => {
      const listening = new AbortController();
      const timer = setTimeout(() => finish(() => reject(new Error("timeout"))), LIMIT * 1000);
      const finish = (/** @type {() => void} */ then) => (listening.abort(), clearTimeout(timer), then());
      this.#cancel = () => finish(resolve);
      video.addEventListener(event, () => finish(resolve), { signal: listening.signal });
      video.addEventListener("error", () => finish(() => reject(new Error(video.error?.message))), { signal: listening.signal });
    });
  }
}
