/**
 * The video element: plays the tracks of one peer connection after another, or media sources, and reports each frame that is shown. In
 * between, a canvas shows the last frame. There is only one element, because phones allow audio for the tapped one only.
 */

import { TICKS } from "./latency.mjs";

export class LivePicture {
  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLCanvasElement} canvas
   * @param {{frame: FrameListener, sound: () => void}} listener
   */
  constructor(video, canvas, listener) {
    this.video = video;
    this.canvas = canvas;
    this.listener = listener;
    /** @type {Idle} */
    this.idle = "";
    this.turn = 0;
    /** added after the first frame, because opening the audio output delays it @type {MediaStreamTrack | null} */
    this.audio = null;
    video.addEventListener("pause", () => this.#paused());
    video.addEventListener("volumechange", listener.sound);
    video.addEventListener("webkitendfullscreen", () => this.play()); // iPhones pause the video when they leave full screen
  }

  /** @param {MediaStreamTrack} track  the first one of a new connection replaces the previous stream */
  show(track) {
    const stream = this.video.srcObject;
    if (!(stream instanceof MediaStream && this.showing)) this.#begin(new MediaStream([track]));
    else if (track.kind === "audio") this.audio = track;
    else stream.addTrack(track);
  }

  /** Plays a media source instead of tracks. @param {MediaSource} source */
  showSource(source) {
    this.hold();
    this.#begin(source);
  }

  /** @param {MediaStream | MediaSource} source */
  #begin(source) {
    this.showing = true;
    this.audio = null;
    this.#setSource(source);
    this.#listen(this.turn);
    this.play();
  }

  /** @param {MediaStream | MediaSource | null} source */
  #setSource(source) {
    URL.revokeObjectURL(this.video.src);
    this.video.srcObject = source instanceof MediaStream ? source : null;
    if (!source || this.video.srcObject) this.video.removeAttribute("src");
    else this.video.src = URL.createObjectURL(/** @type {MediaSource} */ (source));
  }

  /** Keeps the last frame on the screen until a new stream is shown. */
  hold() {
    this.turn += 1;
    this.showing = false;
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || !this.canvas.hidden) return;
    this.canvas.width = videoWidth;
    this.canvas.height = videoHeight;
    this.canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    this.canvas.hidden = false;
  }

  /** Removes the picture. */
  drop() {
    this.turn += 1;
    this.showing = false;
    this.#setSource(null);
    this.canvas.hidden = true;
    this.idle = "";
  }

  /** Sets the same tracks again, because a phone that was locked may stay on an old frame. */
  revive() {
    const stream = this.video.srcObject;
    this.turn += 1;
    this.video.srcObject = null;
    if (stream instanceof MediaStream) this.#begin(stream);
  }

  /** Plays, muted if the browser refuses audio; `idle` is set if it refuses to play at all. */
  async play() {
    const { turn } = this;
    try {
      const played = this.video.play();
      if (!this.video.paused) this.idle = ""; // it may wait for data
      await played;
    } catch (error) {
      if (turn !== this.turn || !(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      if (this.video.muted) this.idle = "refused";
      else {
        this.video.muted = true;
        await this.play();
      }
    }
  }

  /** Pauses or resumes, as the viewer requests. */
  toggle() {
    if (this.idle) return void this.play();
    if (!this.showing) return;
    this.idle = "paused";
    this.video.pause();
  }

  /** Mutes or unmutes; must be called in a user gesture. */
  async toggleMute() {
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 1;
    if (!this.video.muted && !this.idle) await this.play();
  }

  #addAudio() {
    const { srcObject } = this.video;
    if (this.audio && srcObject instanceof MediaStream) srcObject.addTrack(this.audio);
    this.audio = null;
  }

  /** Resumes playback that something other than `toggle` has paused, such as a phone's media controls. */
  #paused() {
    if (this.showing && this.idle === "" && !document.hidden) this.play();
  }

  /** @param {number} turn */
  #listen(turn) {
    this.video.requestVideoFrameCallback((_, frame) => {
      if (turn !== this.turn) return;
      const now = performance.now();
      this.canvas.hidden = true;
      this.#addAudio();
      this.listener.frame(now, this.video.srcObject ? frame.rtpTimestamp : frame.mediaTime * TICKS * 1000);
      this.#listen(turn);
    });
  }
}
