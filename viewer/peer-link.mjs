/** The peer connections to the daemon, one after the other: opens one for each offer, and requests another if it fails. */

import { DISCONNECTED } from "./transports.mjs";

/** Time in ms after which a restart request without a new offer is repeated; the daemon accepts one in 2 s. */
const RESTART_TIMEOUT = 2500;
/** Time to connect without any candidate of the browser: the daemon may still see its address. */
export const BLOCKED_TIMEOUT = 1000;

export class PeerLink {
  /** @type {Peer | null} */
  peer = null;
  /** whether the current peer connection has ever been connected */
  connected = false;
  /** whether the current peer connection has failed */
  failed = false;
  /** @type {number | null} since when ICE has no working candidate pair */
  brokenAt = null;
  /** @type {number | null} since when it is known that the browser has no candidates */
  blockedAt = null;
  repeatRestartAt = Infinity;
  /** of the current peer connection @type {MediaStreamTrack[]} */
  tracks = [];
  /** peer connections that have failed since the last frame */
  failures = 0;
  /** answers that were rejected since the last frame */
  refusals = 0;

  /** @param {PeerLinkPorts} ports */
  constructor(ports) {
    this.ports = ports;
  }

  /** Answers an offer with a new peer connection, which replaces the current one. @param {Offer} offer */
  open(offer) {
    this.close();
    const { peer, send, event } = this.ports;
    this.peer = peer(offer, {
      answer: (sdp) => send({ type: "answer", id: offer.id, sdp }),
      candidate: (candidate) => send({ type: "candidate", id: offer.id, candidate }),
      track: (track) => this.#track(track),
      network: (state) => this.#network(state),
      refused: (why) => this.refused(String(why)),
    });
    event("peer:new");
  }

  /** Closes the current peer connection, if any. */
  close() {
    if (!this.peer) return;
    this.ports.closing();
    this.peer.close();
    this.peer = this.brokenAt = this.blockedAt = null;
    this.connected = this.failed = false;
    this.tracks = [];
    this.repeatRestartAt = Infinity;
  }

  /** Whether the current peer connection has a working candidate pair. */
  get isWorking() {
    return this.connected && this.brokenAt === null;
  }

  /** @param {MediaStreamTrack} track */
  #track(track) {
    this.tracks.push(track);
    this.ports.track(track);
  }

  /** Requests a new peer connection. @param {RestartReason} [reason] */
  restart(reason = this.failures > 0 ? "ice-failed" : "no-frames") {
    if (!this.peer) return;
    this.ports.send({ type: "restart", id: this.peer.id, reason });
    this.repeatRestartAt = this.ports.now() + RESTART_TIMEOUT;
  }

  /** The stream is live: requests a new peer connection if the current one has failed before. */
  streamIsLive() {
    if (this.failed && this.failures + this.refusals > 0) this.restart("ice-failed");
  }

  /** A frame was shown, so the peer connection works. */
  frameShown() {
    this.failures = this.refusals = 0;
    this.repeatRestartAt = Infinity;
  }

  /** The daemon has closed a peer connection. @param {Bye} message */
  bye({ id, reason }) {
    if (id !== this.peer?.id) return;
    if (reason === "stopped") this.ports.event("stream:stopping");
    else if (reason !== "replaced") this.#fail(reason);
  }

  /** Browser and daemon have no common format. @param {string} why */
  refused(why) {
    this.ports.log(`the answer was rejected: ${why}`);
    this.failed = true;
    this.refusals += 1;
    this.ports.event(this.refusals > 1 ? "route:unsupported" : "peer:refused", "bad-answer");
  }

  /** Detects a peer connection that does not recover. @param {number} now */
  check(now) {
    if (this.brokenAt !== null && now - this.brokenAt >= DISCONNECTED) this.#fail("lost");
    if (this.blockedAt !== null && !this.connected && now - this.blockedAt >= BLOCKED_TIMEOUT) this.#blocked();
  }

  /** @param {Network} state */
  #network(state) {
    this.connected ||= state === "connected";
    if (state === "blocked") this.blockedAt = this.ports.now();
    else if (state === "connected") this.brokenAt = null;
    else this.brokenAt ??= state === "failed" ? -Infinity : this.ports.now();
  }

  /** The browser may not use UDP: another attempt would not help. */
  #blocked() {
    this.failures = Math.max(this.failures, 1);
    this.#fail("blocked");
  }

  /** Counts each peer connection's failure once, whether ICE or the daemon reports it. @param {string} why */
  #fail(why) {
    if (!this.peer || this.failed) return;
    this.failed = true;
    this.failures += 1;
    this.ports.event(this.failures > 1 ? "route:none" : "peer:failed", why);
  }
}
