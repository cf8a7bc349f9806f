/**
 * The video element: plays the tracks of one peer connection after another, and reports each presented frame. In between
 * a canvas shows the last frame. The element is never replaced: phones allow sound only for the one that was tapped.
 */

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
    this.generation = 0;
    video.addEventListener("pause", () => this.#paused());
    video.addEventListener("volumechange", listener.sound);
    video.addEventListener("webkitendfullscreen", () => this.play()); // iPhones pause when they leave full screen
  }

  /** @param {MediaStreamTrack} track  the first one of a new connection replaces the stream */
  show(track) {
    const stream = this.video.srcObject;
    if (stream instanceof MediaStream && this.showing) stream.addTrack(track);
    else this.#begin(new MediaStream([track]));
  }

  /** @param {MediaStream} stream */
  #begin(stream) {
    this.showing = true;
    this.video.srcObject = stream;
    this.#listen(this.generation);
    this.play();
  }

  /** Keeps the last frame on the screen until a new one is presented. */
  hold() {
    this.generation += 1;
    this.showing = false;
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || !this.canvas.hidden) return;
    this.canvas.width = videoWidth;
    this.canvas.height = videoHeight;
    this.canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    this.canvas.hidden = false;
  }

  /** Removes the video. */
  drop() {
    this.generation += 1;
    this.showing = false;
    this.video.srcObject = null;
    this.canvas.hidden = true;
    this.idle = "";
  }

  /** Attaches the stream again: locked phones may keep an old frame. */
  revive() {
    const stream = this.video.srcObject;
    this.generation += 1;
    this.video.srcObject = null;
    if (stream instanceof MediaStream) this.#begin(stream);
  }

  /** Plays, muted if the browser requires it; sets `idle` to `refused` if that is not allowed either. */
  async play() {
    const { generation } = this;
    try {
      await this.video.play();
      if (!this.video.paused) this.idle = "";
    } catch (error) {
      if (generation !== this.generation || !(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      if (this.video.muted) this.idle = "refused";
      else {
        this.video.muted = true;
        await this.play();
      }
    }
  }

  /** Pauses, or resumes. */
  toggle() {
    if (this.idle) return void this.play();
    if (!this.showing) return;
    this.idle = "paused";
    this.video.pause();
  }

  /** Mutes or unmutes; to be called in the handler of a user gesture. */
  async toggleMute() {
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 1;
    if (!this.video.muted && !this.idle) await this.play();
  }

  /** Resumes if the browser or a phone's player has paused, not `toggle`. */
  #paused() {
    if (this.showing && this.idle === "" && !document.hidden) this.play();
  }

  /** @param {number} generation */
  #listen(generation) {
    this.video.requestVideoFrameCallback((_, frame) => {
      if (generation !== this.generation) return;
      const now = performance.now();
      this.canvas.hidden = true;
      this.listener.frame(now, frame.rtpTimestamp);
      this.#listen(generation);
    });
  }
}
