/** One viewer: turns messages, frames and user input into events of the connection table, and executes its actions. No DOM. */

import { ClockOffset, LatencyMeter } from "./latency.mjs";
import { Preference } from "./preference.mjs";
import { Routes } from "./routes.mjs";
import { SignalingLink } from "./signaling-link.mjs";
import { step } from "./state.mjs";
import { FrameWatch, WEAK, slept } from "./watch.mjs";

/** Heartbeats sent after `welcome`, one per tick, to estimate the daemon's clock quickly. */
const INITIAL_HEARTBEATS = 3;
const SECOND = 1000;

export class Viewer {
  /** @type {View} */
  view = {
    state: "connecting", reason: "", limit: 0, up: false, retryIn: null, sound: "on", viewers: null, picture: "none",
    joinMs: null, latencyMs: null, freezes: 0, stats: null, quality: null, preference: "auto", transport: "webrtc",
  };
  watch = new FrameWatch();
  latency = new LatencyMeter();
  resume = "";
  /** @type {string | null} as last received; null before the first message */
  streamState = null;
  /** heartbeats still to send after `welcome` */
  heartbeatsLeft = 0;

  hasPicture = false;
  lastFrameAt = -Infinity;
  /** the page was hidden, and no frame has been shown since */
  justShown = false;

  /** @param {ViewerPorts} ports */
  constructor(ports) {
    this.ports = ports;
    this.signaling = new SignalingLink({
      ...ports,
      hello: () => ({ type: "hello", token: ports.token(), resume: (this.routes.isOpen && this.resume) || undefined }),
      message: (message) => this.#message(message),
      event: (event, reason) => this.fire(event, reason),
    });
    this.routes = new Routes({
      ...ports,
      send: (message) => this.signaling.send(message),
      event: (event, reason) => this.fire(event, reason),
      changed: () => this.#forgetFrames(),
    });
    this.preference = new Preference((want) => this.signaling.send({ type: "quality", want }));
    this.joinFrom = this.statsAt = ports.now();
    this.page = this.#pageState();
  }

  #pageState() {
    return { hidden: this.ports.hidden(), wall: this.ports.wall() };
  }

  /** Starts, or restarts after the page was restored from the back/forward cache. */
  start() {
    const why = this.ports.unplayable();
    this.routes.noWebrtc = this.ports.noWebrtc();
    if (why) this.fire("page:unplayable", why);
    else this.fire("page:start");
  }

  /** Ends the session and closes its connections. */
  stop() {
    this.signaling.leave();
    this.routes.close();
    this.resume = "";
  }

  /** The page was shown, or the network has changed: probes the current connection before opening another. */
  wake() {
    this.routes.media.returnAt = this.ports.now();
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
    this.preference.choose(preference, this.signaling.up ? this.ports.now() : null);
    this.#notify();
  }

  /** @param {Action} action */
  #run(action) {
    switch (action) {
      case "connect": return this.signaling.connect();
      case "retry-soon": return this.signaling.retrySoon();
      case "retry-later": return this.signaling.retryLater();
      case "retry-slowly": return this.signaling.retryLater(Math.max(0, this.routes.failures - 2));
      case "retry-now": return this.#retryNow();
      case "leave": return this.stop();
      case "reload": return this.ports.reload();
      case "restart-ice": return this.routes.peers.restart("ice-failed");
      case "restart-frames": return this.routes.restartFrames(this.watch.arriving);
      case "restart-decoder": return this.routes.peers.restart("decoder");
      case "keyframe": return this.signaling.send({ type: "keyframe" });
      case "probe": return this.signaling.probe();
      case "play": return this.ports.picture.play();
      case "drop-picture": return this.#dropPicture();
    }
  }

  /** Requests a new peer connection, or connects to the daemon first. */
  #retryNow() {
    this.signaling.retryAt = null;
    if (this.signaling.up) this.routes.retry();
    else this.signaling.connect();
  }

  /** Another connection plays from now on, or none. */
  #forgetFrames() {
    this.view.stats = this.view.latencyMs = null;
    this.latency.take();
    this.lastFrameAt = -Infinity;
    this.watch.stop();
  }

  #dropPicture() {
    this.routes.close();
    this.ports.picture.drop();
    this.hasPicture = false;
  }

  /** @param {Message} message */
  #message(message) {
    switch (message.type) {
      case "welcome": return this.#welcome(message);
      case "offer": return this.routes.offered(message);
      case "media": this.routes.media.granted(message); return this.#checkRoutes();
      case "stream": return this.#stream(message);
      case "viewers": this.view.viewers = message.count; return this.#notify();
      case "heartbeat": return this.#heartbeat(message);
      case "bye": return this.routes.peers.bye(message);
      case "error": return this.#error(message);
    }
  }

  /** @param {Welcome} message */
  #welcome(message) {
    this.signaling.welcomed(message.heartbeat.idle);
    this.resume = message.resume;
    this.view.viewers = message.viewers;
    this.heartbeatsLeft = INITIAL_HEARTBEATS;
    this.latency.offset = new ClockOffset(); // it may be another daemon, with another clock
    this.routes.media.granted(message.media);
    if (message.resumed) {
      if (this.watch.weak) this.routes.resumed();
      this.watch.reset();
    } else {
      this.routes.close();
      this.preference.forget();
    }
    this.preference.send(this.ports.now());
    if (this.routes.isUnsupported) return this.fire("route:unsupported", this.routes.noWebrtc ?? "");
    this.#stream(message.stream);
    this.#checkRoutes();
  }

  /** @param {Heartbeat} message */
  #heartbeat({ t, now }) {
    this.preference.answered(t);
    this.latency.offset.add(t, now, this.ports.now());
  }

  /** @param {Stream} stream */
  #stream(stream) {
    const startsNow = this.streamState !== null && this.streamState !== "live" && stream.state === "live";
    if (startsNow) this.joinFrom = this.ports.now();
    this.streamState = stream.state;
    this.view.sound = stream.sound;
    this.view.quality = stream.quality ?? null;
    if (stream.state === "live") this.routes.streamIsLive();
    this.fire(/** @type {ConnectionEvent} */ (`stream:${stream.state}`), stream.reason);
    this.#notify();
  }

  /** @param {Refusal} message */
  #error(message) {
    if (message.code === "full") this.view.limit = message.limit ?? 0;
    if (message.code === "bad-answer") this.routes.peers.refused(message.message ?? "");
  }

  /** A new frame was shown. @param {number} now @param {number} [timestamp]  in ticks of the connection's clock */
  frame(now, timestamp) {
    const { source } = this.routes;
    if (!source || this.ports.picture.idle) return;
    this.routes.frameShown();
    this.watch.frame(now);
    this.lastFrameAt = now;
    this.hasPicture = true;
    this.justShown = false;
    this.view.joinMs ??= now - this.joinFrom;
    this.latency.frame(source.clock, timestamp, now);
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
    if (idle === "paused") this.routes.media.close();
    const expected = this.routes.isConnected && this.streamState === "live" && !this.ports.hidden() && !idle;
    if (expected === this.watch.isStopped) expected ? this.watch.start(now) : this.watch.stop();
    this.routes.peers.check(now);
    if (this.routes.media.showing) this.watch.arriving = true; // over TCP, nothing is lost; a keyframe may take seconds
    for (const finding of this.watch.findings(now)) this.#handleFinding(finding);
    this.#checkRoutes();
    if (now >= this.routes.peers.repeatRestartAt && this.streamState === "live" && this.signaling.retryAt === null) this.#retryNow();
  }

  #checkRoutes() {
    const isLive = this.streamState === "live" && this.ports.picture.idle !== "paused";
    this.routes.check(isLive, this.ports.hidden());
  }

  /** @param {Finding} finding */
  #handleFinding(finding) {
    if (finding === "frame:weak" && this.justShown && !this.routes.media.showing) this.ports.picture.revive(); // iPhones may stay on the last frame
    this.fire(finding, finding === "frame:gone" ? "frames" : "");
  }

  /** Updates the statistics; called once per second. @param {number} now */
  async #updateStats(now) {
    this.statsAt = now;
    const { media, peers } = this.routes;
    const { peer } = peers;
    this.view.latencyMs = this.latency.take();
    const meter = this.ports.meter();
    if (!meter) return;
    if (media.showing && media.player) this.view.stats = meter.player(media.player, now, this.latency.offset.trip);
    if (!peer) return;
    const { stats, packets, frames } = await meter.peerStats(peer, now);
    if (peer !== peers.peer) return;
    if (media.showing) return frames > 0 ? media.leave() : undefined;
    this.view.stats = stats;
    this.watch.received(packets);
  }

  #notify() {
    const now = this.ports.now();
    const { up, retryAt } = this.signaling;
    this.view.up = up;
    this.view.retryIn = retryAt && Math.max(1, Math.ceil((retryAt - now) / SECOND));
    this.view.picture = !this.hasPicture ? "none" : now - this.lastFrameAt < WEAK ? "moving" : "still";
    this.view.freezes = this.watch.freezes;
    this.view.transport = this.routes.media.showing ? "web" : "webrtc";
    this.ports.changed(this.view);
  }
}
