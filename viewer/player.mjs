/** The stream over a WebSocket: receives and acknowledges it. Loaded only where WebRTC does not work. */

import { playbackStats } from "./playback.mjs";
import { SourceFeed } from "./source-feed.mjs";

export const SUBPROTOCOL = "broadcaster.media.v1";

export class Player {
  /** binary messages received */
  count = 0;
  bytes = 0;
  closing = new AbortController();

  /** @param {MediaGrant} grant @param {SourcePicture} picture @param {PlayerListener} listener */
  constructor({ url, ticket }, picture, listener) {
    this.video = picture.video;
    this.listener = listener;
    this.feed = new SourceFeed(picture, {
      showing: listener.showing,
      wanted: () => this.#acknowledge(),
      failed: (why, isFinal) => this.#end(why, isFinal),
    });
    this.before = this.#snapshot(performance.now());
    this.socket = new WebSocket(url, SUBPROTOCOL);
    this.socket.binaryType = "arraybuffer";
    const { signal } = this.closing;
    this.socket.addEventListener("open", () => this.#send({ type: "open", ticket }), { signal });
    this.socket.addEventListener("message", ({ data }) => this.#received(data), { signal });
    this.socket.addEventListener("close", ({ code }) => this.#end(`close code ${code}`, code === 1003 || code === 1009), { signal });
  }

  /** The capture time of the media's time zero. */
  get clock() {
    return this.feed.clock;
  }

  /** Returns the statistics since the last call. @param {number} now */
  stats(now) {
    const after = this.#snapshot(now);
    const stats = playbackStats(this.before, after);
    this.before = after;
    return stats;
  }

  /** Closes the connection; no event is fired. The video element keeps what it has. */
  close() {
    this.closing.abort();
    this.feed.close();
    this.socket.close(1000);
  }

  /** @param {number} now @returns {PlaybackSnapshot} */
  #snapshot(now) {
    const { videoWidth: width, videoHeight: height } = this.video;
    const { keyframes, mime, ahead } = this.feed;
    const frames = this.video.getVideoPlaybackQuality().totalVideoFrames;
    return { at: now, bytes: this.bytes, frames, width, height, keyframes, mime, ahead };
  }

  /** @param {string | ArrayBuffer} data */
  #received(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type === "init") this.feed.push(message);
      return;
    }
    this.count += 1;
    this.bytes += data.byteLength;
    this.#acknowledge();
    this.feed.push(data);
  }

  /** Acknowledges what has arrived. The daemon sends little in advance, so it pauses when this does. */
  #acknowledge() {
    if (this.feed.isWanted) this.#send({ type: "ack", count: this.count });
  }

  /** @param {object} message */
  #send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** @param {string} why @param {boolean} isFinal */
  #end(why, isFinal) {
    this.close();
    this.listener.lost(why, isFinal);
  }
}
