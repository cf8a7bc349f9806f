/** The two ways of the stream to the page: peer connections, and the web where they do not work. Chooses between them. */

import { MediaLink, RETURN_INTERVAL } from "./media-link.mjs";
import { PeerLink } from "./peer-link.mjs";

export class Routes {
  /** why this browser cannot use WebRTC; null if it can @type {string | null} */
  noWebrtc = null;

  /** @param {RoutesPorts} ports */
  constructor(ports) {
    this.ports = ports;
    this.peers = new PeerLink({
      ...ports,
      track: (track) => this.media.showing || ports.picture.show(track),
      event: (event, why) => this.#peerEvent(event, why),
      closing: () => this.media.showing || this.#hold(),
    });
    this.media = new MediaLink({
      ...ports,
      showing: ports.changed,
      closed: () => this.#mediaClosed(),
      lost: (why) => this.#mediaLost(why),
    });
  }

  /** What plays now. */
  get source() {
    return this.media.showing ? this.media.player : this.peers.peer;
  }

  /** Whether frames can be expected while the stream is live. */
  get isConnected() {
    return this.media.showing || this.peers.connected;
  }

  /** Whether there is something that continues if the session is resumed. */
  get isOpen() {
    return this.peers.peer !== null || this.media.player !== null;
  }

  /** Failures since the last frame, for the back-off. */
  get failures() {
    return Math.max(this.peers.failures, this.media.failures);
  }

  /** Neither way can work: the browser has no WebRTC, and the daemon or the browser not the other one. */
  get isUnsupported() {
    return this.noWebrtc !== null && !this.media.isPossible;
  }

  close() {
    this.media.close();
    this.peers.close();
  }

  /** @param {Offer} offer */
  offered(offer) {
    if (!this.noWebrtc) this.peers.open(offer);
  }

  /** The stream is live, perhaps again. */
  streamIsLive() {
    if (!this.media.showing) this.peers.streamIsLive();
  }

  /** A frame was shown. */
  frameShown() {
    if (this.media.showing) return this.media.frameShown();
    this.peers.frameShown();
    this.media.leave();
  }

  /** The session continues after its connection was lost, and no frames arrive: the other TCP connection is likely lost, too. */
  resumed() {
    if (this.media.showing) this.media.reopen();
  }

  /** The connection seems to work, but no frames are shown. @param {boolean} arriving  whether data arrive */
  restartFrames(arriving) {
    if (this.media.showing) return this.media.reopen();
    if (!arriving) this.media.choose();
    this.peers.restart(arriving ? "decoder" : "no-frames");
  }

  /** Tries both ways again. */
  retry() {
    this.media.retryAt = -Infinity;
    this.peers.restart();
  }

  /** Must be called several times per second. @param {boolean} isLive  whether the stream is live, and not paused @param {boolean} hidden */
  check(isLive, hidden) {
    const { peers, media } = this;
    const now = this.ports.now();
    if (this.noWebrtc || peers.refusals > 1) media.choose();
    media.check(isLive && (media.chosen || !peers.isWorking));
    if (!media.showing || hidden || now < media.returnAt || peers.refusals > 1) return;
    media.returnAt = now + RETURN_INTERVAL;
    peers.restart("ice-failed");
  }

  /** While the stream comes over the web, the peer connection is only an attempt to return. @param {ConnectionEvent} event @param {string} [why] */
  #peerEvent(event, why) {
    if (this.media.showing) return;
    if (event.startsWith("route:") && !this.media.isFailing) this.media.choose();
    else this.ports.event(event, why);
  }

  /** The stream over the web has ended, or could not be opened. @param {string} why */
  #mediaLost(why) {
    const mayConnect = !this.noWebrtc && this.peers.failures < 2 && this.peers.refusals < 2;
    if (this.isUnsupported) this.ports.event("route:unsupported", this.noWebrtc ?? "");
    else if (mayConnect || !this.media.isFailing) this.ports.event("media:lost", "lost");
    else this.ports.event("route:none", why);
  }

  /** Continues with the peer connection, if there is one. */
  #mediaClosed() {
    this.#hold();
    if (this.ports.picture.idle === "paused") return;
    for (const track of this.peers.tracks) this.ports.picture.show(track);
  }

  /** Keeps the last picture until there is a new one. */
  #hold() {
    this.ports.picture.hold();
    this.ports.changed();
  }
}
