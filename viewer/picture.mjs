/**
 * The video element: plays the tracks of one peer connection after the other, and says when a new frame is on the screen.
 * In between a canvas keeps the last picture. It is one element for good: phones allow sound to the one that was tapped.
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
    this.turn = 0;
    video.addEventListener("pause", () => this.#paused());
    video.addEventListener("volumechange", listener.sound);
    video.addEventListener("webkitendfullscreen", () => this.play()); // iPhones pause when they leave full screen
  }

  /** @param {MediaStreamTrack} track  the first one of a new connection clears the way */
  show(track) {
    const stream = this.video.srcObject;
    if (stream instanceof MediaStream && this.showing) stream.addTrack(track);
    else this.#begin(new MediaStream([track]));
  }

  /** @param {MediaStream} stream */
  #begin(stream) {
    this.showing = true;
    this.video.srcObject = stream;
    this.#listen(this.turn);
    this.play();
  }

  /** Keeps the last picture on the screen until `show` brings a new one. */
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

  /** No picture any more. */
  drop() {
    this.turn += 1;
    this.showing = false;
    this.video.srcObject = null;
    this.canvas.hidden = true;
    this.idle = "";
  }

  /** Sets the same tracks again: locked phones can stay on an old frame. */
  revive() {
    const stream = this.video.srcObject;
    this.turn += 1;
    this.video.srcObject = null;
    if (stream instanceof MediaStream) this.#begin(stream);
  }

  /** Plays, without sound if need be; if refused, `idle` says so. */
  async play() {
    const { turn } = this;
    try {
      await this.video.play();
      if (!this.video.paused) this.idle = "";
    } catch (error) {
      if (turn !== this.turn || !(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      if (this.video.muted) this.idle = "refused";
      else {
        this.video.muted = true;
        await this.play();
      }
    }
  }

  /** The viewer pauses, or goes on. */
  toggle() {
    if (this.idle) return void this.play();
    if (!this.showing) return;
    this.idle = "paused";
    this.video.pause();
  }

  /** Sound on or off; to be called inside a tap. */
  async toggleMute() {
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 1;
    if (!this.video.muted && !this.idle) await this.play();
  }

  /** Only `toggle` may pause; a background page or a phone's player did. */
  #paused() {
    if (this.showing && this.idle === "" && !document.hidden) this.play();
  }

  /** @param {number} turn */
  #listen(turn) {
    this.video.requestVideoFrameCallback((_, frame) => {
      if (turn !== this.turn) return;
      const now = performance.now();
      this.canvas.hidden = true;
      this.listener.frame(now, frame.rtpTimestamp);
      this.#listen(turn);
    });
  }
}
