/** Feeds fragmented MP4 to the video element (Media Source Extensions), and keeps playback close to its end. */

import { Playback, keyframeTime } from "./playback.mjs";

/** How many fragments may wait; Chromium opens no source in a tab that has never been shown. */
export const MAX_WAITING = 100;

export class SourceFeed {
  /** capture time of the media's time zero @type {CaptureClock | null} */
  clock = null;
  mime = "";
  /** keyframes received */
  keyframes = 0;
  /** a managed source wants no data, to save energy */
  isPaused = false;
  isClosed = false;
  playback = new Playback(performance.now());
  /** received, and not yet appended @type {(MediaInit | ArrayBuffer)[]} */
  queue = [];
  /** @type {MediaSource | null} */
  source = null;
  /** null until the source is open @type {SourceBuffer | null} */
  buffer = null;
  stalled = () => !this.video.seeking && this.playback.stalled(this.ahead, performance.now());
  played = () => this.playback.played();

  /** @param {SourcePicture} picture @param {FeedListener} listener */
  constructor(picture, listener) {
    this.picture = picture;
    this.video = picture.video;
    this.listener = listener;
    this.video.addEventListener("waiting", this.stalled);
    this.video.addEventListener("playing", this.played);
  }

  /** Whether more data can be taken. */
  get isWanted() {
    return !this.isPaused && this.queue.length < MAX_WAITING;
  }

  /** How much is buffered ahead, in s. */
  get ahead() {
    const { buffered, currentTime } = this.video;
    return this.buffer && buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
  }

  /** Takes an init message, an init segment or a fragment. @param {MediaInit | ArrayBuffer} item */
  push(item) {
    this.queue.push(item);
    this.#pump();
  }

  close() {
    this.isClosed = true;
    this.video.removeEventListener("waiting", this.stalled);
    this.video.removeEventListener("playing", this.played);
    this.video.playbackRate = 1;
    this.video.preservesPitch = true;
  }

  /** Whether the source can take something now. */
  get #isReady() {
    const isBusy = this.source && (!this.buffer || this.buffer.updating);
    return !this.isPaused && !this.isClosed && !isBusy;
  }

  /** Appends what was received, as far as the source can take it. */
  #pump() {
    try {
      while (this.#isReady && this.queue.length > 0) {
        if (this.queue[0] instanceof ArrayBuffer) this.#append();
        else this.#configure(/** @type {MediaInit} */ (this.queue.shift()));
      }
    } catch (error) {
      this.listener.failed(String(error), false); // the buffer is full, or the decoder has failed
    }
  }

  /** Appends everything up to the next init message at once. */
  #append() {
    const { isWanted } = this;
    const next = this.queue.findIndex((item) => !(item instanceof ArrayBuffer));
    const parts = /** @type {ArrayBuffer[]} */ (this.queue.splice(0, next < 0 ? this.queue.length : next));
    const times = parts.map(keyframeTime).filter((time) => time !== null);
    this.keyframes += times.length;
    this.playback.keyframes.push(...times.map((time) => time + (this.buffer?.timestampOffset ?? 0)));
    this.buffer?.appendBuffer(concatenated(parts));
    if (!isWanted) this.listener.wanted();
  }

  /** Prepares for the next init segment. @param {MediaInit} init */
  #configure({ mime, base }) {
    const spelling = supported(mime);
    if (!spelling) return this.listener.failed(`cannot play ${mime}`, true);
    const tracks = (/** @type {string} */ type) => type.split(",").length;
    // A source buffer cannot change its number of tracks (Media Source Extensions §3.5.7).
    if (!this.buffer || !this.clock || tracks(spelling) !== tracks(this.mime)) this.#begin(spelling, base);
    else {
      if (spelling !== this.mime) this.buffer.changeType(spelling);
      this.buffer.timestampOffset = (base - this.clock.at) / 1000;
    }
    this.mime = spelling;
  }

  /** Shows a new source. @param {string} mime @param {number} base */
  #begin(mime, base) {
    const source = (this.source = new (sourceClass())());
    this.buffer = null;
    this.clock = { rtp: 0, at: base };
    this.playback.restart();
    source.onsourceopen = () => this.source === source && !this.isClosed && this.#opened(source, mime);
    source.addEventListener("endstreaming", () => (this.isPaused = true));
    source.addEventListener("startstreaming", () => this.#resume());
    this.picture.showSource(source);
    this.listener.showing();
  }

  /** @param {MediaSource} source @param {string} mime */
  #opened(source, mime) {
    source.onsourceopen = null;
    const buffer = (this.buffer = source.addSourceBuffer(mime));
    buffer.onupdateend = () => this.buffer === buffer && !this.isClosed && this.#updated(buffer);
    this.#pump();
  }

  #resume() {
    this.isPaused = false;
    this.listener.wanted();
    this.#pump();
  }

  /** @param {SourceBuffer} buffer */
  #updated(buffer) {
    if (this.source?.readyState !== "open") return this.listener.failed("the media source has ended", false);
    this.#follow(buffer);
    this.#pump();
  }

  /** Keeps close to the newest frame, and removes old ones. @param {SourceBuffer} buffer */
  #follow(buffer) {
    const { video, playback } = this;
    const { buffered } = buffer;
    const last = buffered.length - 1;
    if (last < 0) return;
    const seek = playback.follow(video.currentTime, { start: buffered.start(last), end: buffered.end(last) }, performance.now());
    if (seek !== null) video.currentTime = seek;
    if (video.playbackRate !== playback.rate) Object.assign(video, { preservesPitch: playback.preservesPitch, playbackRate: playback.rate });
    // A fragment may have been appended between the end of the update and its event.
    if (buffer.updating || this.queue.length > 0) return;
    const end = playback.removable(video.currentTime, buffered.start(0));
    if (end !== null) buffer.remove(0, end);
  }
}

/** Returns the class to use; iPhones have the managed one only. @returns {typeof MediaSource} */
function sourceClass() {
  return globalThis.MediaSource ?? /** @type {any} */ (globalThis).ManagedMediaSource;
}

/** Returns the spelling of a MIME type that this browser supports: Apple's know `Opus`, WebKitGTK `opus`. @param {string} mime */
function supported(mime) {
  const spellings = [mime, mime.replace(/opus/i, "Opus"), mime.replace(/opus/i, "opus")];
  return spellings.find((spelling) => sourceClass().isTypeSupported(spelling)) ?? null;
}

/** @param {ArrayBuffer[]} parts */
function concatenated(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return whole;
}
