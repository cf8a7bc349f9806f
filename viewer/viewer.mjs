/** One viewer: turns messages, frames and user input into events of the connection table, and executes its actions. No DOM. */

import { PeerLink } from "./peer-link.mjs";
import { SignalingLink } from "./signaling-link.mjs";
import { step } from "./state.mjs";
import { ClockOffset, latency, median, snapshot, statsBetween } from "./stats.mjs";
import { FrameWatch, LOSSY_DELAY, LOSSY, LOSSY_MS, WEAK, slept } from "./watch.mjs";

/** Heartbeats sent after `welcome`, one per tick, to estimate the daemon's clock quickly. */
const INITIAL_HEARTBEATS = 3;
const SECOND = 1000;

export class Viewer {
  /** @type {View} */
  view = {
    state: "connecting", reason: "", limit: 0, up: false, retryIn: null, sound: "on", viewers: null, picture: "none",
    joinMs: null, latencyMs: null, freezes: 0, stats: null, quality: null, preference: "auto",
  };
  watch = new FrameWatch();
  offset = new ClockOffset();
  resume = "";
  /** @type {string | null} as last received; null before the first message */
  streamState = null;
  /** @type {QualityPreference | null} as the daemon's session knows it; null while that is uncertain */
  knownPreference = "auto";
  /** when the preference was last sent, in ms */
  preferenceSentAt = Infinity;
  /** heartbeats still to send after `welcome` */
  heartbeatsLeft = 0;

  /** @type {Snapshot | null} */
  snapshot = null;

  hasPicture = false;
  lastFrameAt = -Infinity;
  lossyAt = -Infinity;
  /** the page was hidden, and no frame has been shown since */
  justShown = false;
  /** @type {number[]} of the frames since the last update of the statistics, in ms */
  latencies = [];

  /** @param {ViewerPorts} ports */
  constructor(ports) {
    this.ports = ports;
    this.signaling = new SignalingLink({
      ...ports,
      hello: () => ({ type: "hello", token: ports.token(), resume: (this.peers.peer && this.resume) || undefined }),
      message: (message) => this.#message(message),
      event: (event, reason) => this.fire(event, reason),
    });
    this.peers = new PeerLink({
      ...ports,
      track: (track) => ports.picture.show(track),
      send: (message) => this.signaling.send(message),
      event: (event, reason) => this.fire(event, reason),
      closing: () => this.#peerClosing(),
    });
    this.joinFrom = this.statsAt = ports.now();
    this.page = this.#pageState();
  }

  #pageState() {
    return { hidden: this.ports.hidden(), wall: this.ports.wall() };
  }

  /** Starts, or restarts after the page was restored from the back/forward cache. */
  start() {
    const why = this.ports.unplayable();
    if (why) this.fire("page:unplayable", why);
    else this.fire("page:start");
  }

  /** Ends the session and closes the peer connection. */
  stop() {
    this.signaling.leave();
    this.peers.close();
    this.resume = "";
  }

  /** The page was shown, or the network has changed: probes the current connection before opening another. */
  wake() {
    if (this.signaling.up && this.view.state !== "noroute") this.signaling.probe();
    else this.fire("page:wake");
  }

  /**
   * Processes an event of the connection table.
   * @param {ConnectionEvent} event
   * @param {string} [reason]  a code that selects the text to show
   */
  fire(event, reason = "") {
    const next = step(this.view.state, event);
    if (!next) return;
    if (next.state !== this.view.state || reason) this.view.reason = reason;
    this.view.state = next.state;
    for (const action of next.actions) this.#run(action);
    this.#notify();
  }

  /** Sets the viewer's choice of a rendition. @param {QualityPreference} preference */
  prefer(preference) {
    this.view.preference = preference;
    this.#sendPreference();
    this.#notify();
  }

  #sendPreference() {
    if (!this.signaling.up) return;
    this.knownPreference = null;
    this.preferenceSentAt = this.ports.now();
    this.signaling.send({ type: "quality", want: this.view.preference });
  }

  /** @param {Action} action */
  #run(action) {
    switch (action) {
      case "connect": return this.signaling.connect();
      case "retry-soon": return this.signaling.retrySoon();
      case "retry-later": return this.signaling.retryLater();
      case "retry-slowly": return this.signaling.retryLater(this.peers.failures - 2);
      case "retry-now": return this.#retryNow();
      case "leave": return this.stop();
      case "reload": return this.ports.reload();
      case "restart-ice": return this.peers.restart("ice-failed");
      case "restart-frames": return this.peers.restart(this.watch.arriving ? "decoder" : "no-frames");
      case "restart-decoder": return this.peers.restart("decoder");
      case "keyframe": return this.signaling.send({ type: "keyframe" });
      case "probe": return this.signaling.probe();
      case "play": return this.ports.picture.play();
      case "drop-picture": return this.#dropPicture();
    }
  }

  /** Requests a new peer connection, or connects to the daemon first. */
  #retryNow() {
    this.signaling.retryAt = null;
    if (this.signaling.up) this.peers.restart();
    else this.signaling.connect();
  }

  /** The peer connection is about to be closed: keeps its last picture, and forgets everything else about it. */
  #peerClosing() {
    this.ports.picture.hold();
    this.snapshot = this.view.stats = this.view.latencyMs = null;
    this.lastFrameAt = -Infinity;
    this.watch.stop();
  }

  #dropPicture() {
    this.peers.close();
    this.ports.picture.drop();
    this.hasPicture = false;
  }

  /** @param {Message} message */
  #message(message) {
    switch (message.type) {
      case "welcome": return this.#welcome(message);
      case "offer": return this.peers.open(message);
      case "stream": return this.#stream(message);
      case "viewers": this.view.viewers = message.count; return this.#notify();
      case "heartbeat": return this.#heartbeat(message);
      case "bye": return this.peers.bye(message);
      case "error": return this.#error(message);
    }
  }

  /** @param {Welcome} message */
  #welcome(message) {
    this.signaling.welcomed(message.heartbeat.idle);
    this.resume = message.resume;
    this.view.viewers = message.viewers;
    this.heartbeatsLeft = INITIAL_HEARTBEATS;
    this.offset = new ClockOffset(); // it may be another daemon, with another clock
    if (message.resumed) this.watch.reset();
    else {
      this.peers.close();
      this.knownPreference = "auto";
    }
    if (this.view.preference !== this.knownPreference) this.#sendPreference();
    this.#stream(message.stream);
  }

  /** The answer to a heartbeat that was sent after the preference shows that the preference has arrived. @param {Heartbeat} message */
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
    if (stream.state === "live") this.peers.streamIsLive();
    this.fire(/** @type {ConnectionEvent} */ (`stream:${stream.state}`), stream.reason);
    this.#notify();
  }

  /** @param {Refusal} message */
  #error(message) {
    if (message.code === "full") this.view.limit = message.limit ?? 0;
    if (message.code === "bad-answer") this.peers.refused(message.message ?? "");
  }

  /** A new frame was shown. @param {number} now @param {number} [rtpTimestamp] */
  frame(now, rtpTimestamp) {
    const { peer } = this.peers;
    if (!peer || this.ports.picture.idle) return;
    this.watch.frame(now);
    this.lastFrameAt = now;
    this.hasPicture = true;
    this.justShown = false;
    this.peers.frameShown();
    this.view.joinMs ??= now - this.joinFrom;
    const ms = latency(peer.clock, rtpTimestamp, this.offset.offset, now);
    if (ms !== null) this.latencies.push(ms);
    if (this.signaling.up && this.view.state !== "live") this.fire("frame:new");
  }

  /** Must be called several times per second, and when the page is hidden or shown. */
  tick() {
    const now = this.ports.now();
    this.#checkPage();
    this.signaling.tick();
    if (this.signaling.up) this.#checkMedia(now);
    if (now - this.statsAt >= SECOND && !this.ports.hidden()) this.#updateStats(now);
    this.#notify();
  }

  /** Detects that the page was shown again, or that the machine slept. */
  #checkPage() {
    const { hidden: before, wall: then } = this.page;
    const { hidden, wall } = (this.page = this.#pageState());
    if (!(before && !hidden) && !slept(then, wall, hidden || before)) return;
    this.watch.stop();
    this.justShown = before;
    this.wake();
  }

  /** Detects problems of the video while there is a signaling connection to report them. @param {number} now */
  #checkMedia(now) {
    if (this.heartbeatsLeft > 0) this.signaling.sendHeartbeat();
    this.heartbeatsLeft = Math.max(0, this.heartbeatsLeft - 1);
    const { idle } = this.ports.picture;
    if (idle) this.fire(idle === "paused" ? "play:paused" : "play:refused", idle);
    const expected = this.peers.connected && this.streamState === "live" && !this.ports.hidden() && !idle;
    if (expected === this.watch.isStopped) expected ? this.watch.start(now) : this.watch.stop();
    this.peers.check(now);
    for (const finding of this.watch.findings(now)) this.#handleFinding(finding);
    if (now >= this.peers.repeatRestartAt && this.streamState === "live" && this.signaling.retryAt === null) this.#retryNow();
  }

  /** @param {Finding} finding */
  #handleFinding(finding) {
    if (finding === "frame:weak" && this.justShown) this.ports.picture.revive(); // iPhones may stay on the last frame
    this.fire(finding, finding === "frame:gone" ? "frames" : "");
  }

  /** Updates the statistics; called once per second. @param {number} now */
  async #updateStats(now) {
    this.statsAt = now;
    const { peer } = this.peers;
    if (!peer) return;
    this.view.latencyMs = median(this.latencies);
    this.latencies = [];
    const after = snapshot(await peer.stats(), now);
    if (peer !== this.peers.peer) return;
    this.watch.received(after.video.packetsReceived ?? 0);
    const stats = (this.view.stats = statsBetween(this.snapshot, after));
    if (stats.missed > LOSSY) this.lossyAt = now;
    peer.setPlayoutDelay(now - this.lossyAt < LOSSY_MS ? LOSSY_DELAY : 0);
    this.snapshot = after;
  }

  #notify() {
    const now = this.ports.now();
    const { up, retryAt } = this.signaling;
    this.view.up = up;
    this.view.retryIn = retryAt && Math.max(1, Math.ceil((retryAt - now) / SECOND));
    this.view.picture = !this.hasPicture ? "none" : now - this.lastFrameAt < WEAK ? "moving" : "still";
    this.view.freezes = this.watch.freezes;
    this.ports.changed(this.view);
  }
}
