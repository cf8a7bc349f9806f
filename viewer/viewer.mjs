/** One viewer: messages, frames and taps become events of the table; its actions are done. No DOM. */

import { Link } from "./link.mjs";
import { step } from "./state.mjs";
import { ClockOffset, latency, median, snapshot, statsBetween } from "./stats.mjs";
import { DISCONNECTED } from "./transports.mjs";
import { FrameWatch, LOSSY_DELAY, LOSSY, LOSSY_MS, WEAK, slept } from "./watch.mjs";

/** Heartbeats sent, one a tick, right after `welcome`, so that the daemon's clock is known soon. */
const INITIAL_HEARTBEATS = 3;
const SECOND = 1000;
/** When a restart that brings no offer is repeated, in ms: the daemon heeds one in 2 s. */
const RESTART_TIMEOUT = 2500;

export class Viewer {
  /** @type {View} */
  view = {
    state: "connecting", reason: "", limit: 0, up: false, retryIn: null, sound: "on", viewers: null, picture: "none",
    joinMs: null, latencyMs: null, freezes: 0, stats: null, quality: null, preference: "auto",
  };
  watch = new FrameWatch();
  offset = new ClockOffset();
  resume = "";
  /** @type {string | null} as last told; null before the first word */
  streamState = null;
  /** @type {QualityPreference | null} as the session knows it; null while that is not sure */
  knownPreference = "auto";
  /** when a preference was last sent, in ms */
  preferenceSentAt = Infinity;
  /** heartbeats still to send after `welcome` */
  heartbeatsLeft = 0;

  /** @type {Peer | null} */
  peer = null;
  connected = false;
  failed = false;
  repeatRestartAt = Infinity;
  /** @type {number | null} since when ICE has no working pair */
  brokenAt = null;
  /** @type {Snapshot | null} */
  snapshot = null;

  failures = 0;
  refusals = 0;

  hasPicture = false;
  lastFrameAt = -Infinity;
  lossyAt = -Infinity;
  /** the page was hidden until now, and no frame came since */
  justShown = false;
  /** @type {number[]} of the frames since the last figures, ms */
  latencies = [];

  /** @param {ViewerPorts} ports */
  constructor(ports) {
    this.ports = ports;
    this.link = new Link({
      ...ports,
      hello: () => ({ type: "hello", token: ports.token(), resume: (this.peer && this.resume) || undefined }),
      message: (message) => this.#message(message),
      event: (event, reason) => this.fire(event, reason),
    });
    this.joinFrom = this.statsAt = ports.now();
    this.page = this.#pageState();
  }

  #pageState() {
    return { hidden: this.ports.hidden(), wall: this.ports.wall() };
  }

  /** Starts, also after a return from the page cache. */
  start() {
    const why = this.ports.unplayable();
    if (why) this.fire("page:unplayable", why);
    else this.fire("page:start");
  }

  /** Ends session and peer connection at once. */
  stop() {
    this.link.leave();
    this.#closePeer();
    this.resume = "";
  }

  /** The page was shown, or the network changed: the old connection is tried first. */
  wake() {
    if (this.link.up && this.view.state !== "noroute") this.link.probe();
    else this.fire("page:wake");
  }

  /**
   * One event of the connection table.
   * @param {ConnectionEvent} event
   * @param {string} [reason]  a word of the closed sets, for the sentence
   */
  fire(event, reason = "") {
    const found = step(this.view.state, event);
    if (!found) return;
    if (found.state !== this.view.state || reason) this.view.reason = reason;
    this.view.state = found.state;
    for (const action of found.actions) this.#run(action);
    this.#notify();
  }

  /** Takes the viewer's choice of a rendition. @param {QualityPreference} preference */
  prefer(preference) {
    this.view.preference = preference;
    this.#sendPreference();
    this.#notify();
  }

  #sendPreference() {
    if (!this.link.up) return;
    this.knownPreference = null;
    this.preferenceSentAt = this.ports.now();
    this.link.send({ type: "quality", want: this.view.preference });
  }

  /** @param {Action} action */
  #run(action) {
    switch (action) {
      case "connect": return this.link.connect();
      case "retry-soon": return this.link.retrySoon();
      case "retry-later": return this.link.retryLater();
      case "retry-slowly": return this.link.retryLater(this.failures - 2);
      case "again": return this.#again();
      case "leave": return this.stop();
      case "reload": return this.ports.reload();
      case "restart-ice": return this.#restart("ice-failed");
      case "restart-frames": return this.#restart(this.watch.arriving ? "decoder" : "no-frames");
      case "restart-decoder": return this.#restart("decoder");
      case "keyframe": return this.link.send({ type: "keyframe" });
      case "probe": return this.link.probe();
      case "play": return this.ports.picture.play();
      case "drop-picture": return this.#dropPicture();
    }
  }

  /** @param {RestartReason} reason */
  #restart(reason) {
    if (!this.peer) return;
    this.link.send({ type: "restart", id: this.peer.id, reason });
    this.repeatRestartAt = this.ports.now() + RESTART_TIMEOUT;
  }

  /** Where signaling works it is the peer connection that does not. */
  #again() {
    this.link.retryAt = null;
    if (this.link.up) this.#restart(this.failures > 0 ? "ice-failed" : "no-frames");
    else this.link.connect();
  }

  #closePeer() {
    if (!this.peer) return;
    this.ports.picture.hold();
    this.peer.close();
    this.peer = this.brokenAt = this.snapshot = this.view.stats = this.view.latencyMs = null;
    this.connected = this.failed = false;
    this.lastFrameAt = -Infinity;
    this.repeatRestartAt = Infinity;
    this.watch.stop();
  }

  #dropPicture() {
    this.#closePeer();
    this.ports.picture.drop();
    this.hasPicture = false;
  }

  /** @param {Message} message */
  #message(message) {
    switch (message.type) {
      case "welcome": return this.#welcome(message);
      case "offer": return this.#offer(message);
      case "stream": return this.#stream(message);
      case "viewers": this.view.viewers = message.count; return this.#notify();
      case "heartbeat": return this.#heartbeat(message);
      case "bye": return this.#bye(message);
      case "error": return this.#error(message);
    }
  }

  /** @param {Welcome} message */
  #welcome(message) {
    this.link.welcomed(message.heartbeat.idle);
    this.resume = message.resume;
    this.view.viewers = message.viewers;
    this.heartbeatsLeft = INITIAL_HEARTBEATS;
    this.offset = new ClockOffset(); // perhaps another daemon, with another clock
    if (message.resumed) this.watch.reset();
    else {
      this.#closePeer();
      this.knownPreference = "auto";
    }
    if (this.view.preference !== this.knownPreference) this.#sendPreference();
    this.#stream(message.stream);
  }

  /** An answer to a heartbeat sent after the preference: so that has arrived too. @param {Heartbeat} message */
  #heartbeat({ t, now }) {
    if (t != null && t > this.preferenceSentAt) this.knownPreference = this.view.preference;
    this.offset.add(t, now, this.ports.now());
  }

  /** @param {Stream} stream */
  #stream(stream) {
    const startsNow = this.streamState !== null && this.streamState !== "live" && stream.state === "live";
    if (startsNow) this.joinFrom = this.ports.now();
    this.streamState = stream.state;
    this.view.sound = stream.sound;
    this.view.quality = stream.quality ?? null;
    if (stream.state === "live" && this.failed && this.failures + this.refusals > 0) this.#restart("ice-failed");
    this.fire(/** @type {ConnectionEvent} */ (`stream:${stream.state}`), stream.reason);
    this.#notify();
  }

  /** @param {Offer} offer */
  #offer(offer) {
    this.#closePeer();
    this.peer = this.ports.peer(offer, {
      answer: (sdp) => this.link.send({ type: "answer", id: offer.id, sdp }),
      candidate: (candidate) => this.link.send({ type: "candidate", id: offer.id, candidate }),
      track: (track) => this.ports.picture.show(track),
      network: (state) => this.#network(state),
      refused: (why) => this.#refused(String(why)),
    });
    this.fire("peer:new");
  }

  /** @param {Bye} message */
  #bye(message) {
    if (message.id !== this.peer?.id) return;
    if (message.reason === "stopped") this.fire("stream:stopping");
    else if (message.reason !== "replaced") this.#peerFailed(message.reason);
  }

  /** @param {Refusal} message */
  #error(message) {
    if (message.code === "full") this.view.limit = message.limit ?? 0;
    if (message.code === "bad-answer") this.#refused(message.message ?? "");
  }

  /** @param {Network} state */
  #network(state) {
    this.connected ||= state === "connected";
    if (state === "connected") this.brokenAt = null;
    else this.brokenAt ??= state === "failed" ? -Infinity : this.ports.now();
  }

  /** This peer connection finds no way. @param {string} why */
  #peerFailed(why) {
    if (!this.peer || this.failed) return;
    this.failed = true;
    this.failures += 1;
    this.fire(this.failures > 1 ? "peer:failed-again" : "peer:failed", why);
  }

  /** Browser and daemon do not agree on formats. @param {string} why */
  #refused(why) {
    this.ports.log(`the answer did not do: ${why}`);
    this.failed = true;
    this.refusals += 1;
    this.fire(this.refusals > 1 ? "peer:refused-again" : "peer:refused", "bad-answer");
  }

  /** A new frame is on the screen. @param {number} now @param {number} [rtpTimestamp] */
  frame(now, rtpTimestamp) {
    if (!this.peer || this.ports.picture.idle) return;
    this.watch.frame(now);
    this.lastFrameAt = now;
    this.hasPicture = true;
    this.justShown = false;
    this.failures = this.refusals = 0;
    this.repeatRestartAt = Infinity;
    this.view.joinMs ??= now - this.joinFrom;
    const late = latency(this.peer.clock, rtpTimestamp, this.offset.offset, now);
    if (late !== null) this.latencies.push(late);
    if (this.link.up && this.view.state !== "live") this.fire("frame:new");
  }

  /** Call a few times a second, and when the page is hidden or shown. */
  tick() {
    const now = this.ports.now();
    this.#checkPage();
    this.link.tick();
    if (this.link.up) this.#checkMedia(now);
    if (now - this.statsAt >= SECOND && !this.ports.hidden()) this.#updateStats(now);
    this.#notify();
  }

  /** Hidden, shown, asleep? */
  #checkPage() {
    const { hidden: before, wall: then } = this.page;
    const { hidden, wall } = (this.page = this.#pageState());
    if (!(before && !hidden) && !slept(then, wall, hidden || before)) return;
    this.watch.stop();
    this.justShown = before;
    this.wake();
  }

  /** Says what is wrong with the picture, while the daemon can be told. @param {number} now */
  #checkMedia(now) {
    if (this.heartbeatsLeft > 0) this.link.sendHeartbeat();
    this.heartbeatsLeft = Math.max(0, this.heartbeatsLeft - 1);
    const { idle } = this.ports.picture;
    if (idle) this.fire(idle === "paused" ? "play:paused" : "play:refused", idle);
    const expected = this.connected && this.streamState === "live" && !this.ports.hidden() && !idle;
    if (expected === this.watch.isStopped) expected ? this.watch.start(now) : this.watch.stop();
    if (this.brokenAt !== null && now - this.brokenAt >= DISCONNECTED) this.#peerFailed("lost");
    for (const finding of this.watch.findings(now)) this.#handleFinding(finding);
    if (now >= this.repeatRestartAt && this.streamState === "live" && this.link.retryAt === null) this.#again();
  }

  /** @param {Finding} finding */
  #handleFinding(finding) {
    if (finding === "frame:weak" && this.justShown) this.ports.picture.revive(); // iPhones forget to go on
    this.fire(finding, finding === "frame:gone" ? "frames" : "");
  }

  /** Stats once a second. @param {number} now */
  async #updateStats(now) {
    this.statsAt = now;
    const { peer } = this;
    if (!peer) return;
    this.view.latencyMs = median(this.latencies);
    this.latencies = [];
    const after = snapshot(await peer.stats(), now);
    if (peer !== this.peer) return;
    this.watch.received(after.video.packetsReceived ?? 0);
    const found = (this.view.stats = statsBetween(this.snapshot, after));
    if (found.missed > LOSSY) this.lossyAt = now;
    peer.setPlayoutDelay(now - this.lossyAt < LOSSY_MS ? LOSSY_DELAY : 0);
    this.snapshot = after;
  }

  #notify() {
    const now = this.ports.now();
    const { up, retryAt } = this.link;
    this.view.up = up;
    this.view.retryIn = retryAt && Math.max(1, Math.ceil((retryAt - now) / SECOND));
    this.view.picture = !this.hasPicture ? "none" : now - this.lastFrameAt < WEAK ? "moving" : "still";
    this.view.freezes = this.watch.freezes;
    this.ports.changed(this.view);
  }
}
