/** A viewer with simulated time and fake transports, which the test controls. */

import { Meter } from "../../viewer/stats.mjs";
import { Viewer } from "../../viewer/viewer.mjs";

export const HEARTBEAT = { ping_interval: 3, pong_timeout: 4, idle: 5, server_timeout: 7 };
const TICK = 200;
const FRAME = 40;

class FakeSignaling {
  sent = [];
  buffered = 0;
  dropped = null;

  constructor(hello) {
    this.hello = hello;
  }

  open() {
    this.send(this.hello());
  }

  listen(listener) {
    this.listener = listener;
  }

  send(message) {
    this.sent.push(JSON.parse(JSON.stringify(message)));
    return true;
  }

  drop(code) {
    this.dropped = code;
  }
}

class FakePeer {
  closed = false;
  packets = 0;
  decoded = 0;
  lost = 0;
  playoutDelay = 0;

  constructor(offer, listener) {
    this.id = offer.id;
    this.clock = offer.clock ?? null;
    this.listener = listener;
  }

  async stats() {
    const { packets: packetsReceived, lost: packetsLost, decoded: framesDecoded } = this;
    return [{ id: "v", type: "inbound-rtp", kind: "video", packetsReceived, packetsLost, framesDecoded }];
  }

  setPlayoutDelay(ms) {
    this.playoutDelay = ms;
  }

  close() {
    this.closed = true;
  }
}

class FakePlayer {
  closed = false;
  clock = null;

  constructor(grant, listener) {
    this.grant = grant;
    this.listener = listener;
  }

  stats() {
    return { route: "web", width: 640, height: 360 };
  }

  close() {
    this.closed = true;
  }
}

export class ViewerDriver {
  time = 50_000;
  asleep = 0;
  hidden = false;
  token = undefined;
  unplayable = null;
  noWebrtc = null;
  hasMediaSource = true;
  players = [];
  meter = new Meter();
  random = 1;
  sockets = [];
  peers = [];
  states = [];
  log = [];
  reloads = 0;
  refusedBy = "";
  picture = {
    idle: "", calls: [],
    show() { this.calls.push("show"); },
    hold() { this.calls.push("hold"); },
    drop() { this.calls.push("drop"); },
    play() { this.calls.push("play"); this.idle = ""; },
    revive() { this.calls.push("revive"); },
  };

  constructor(fields = {}) {
    Object.assign(this, fields);
    this.viewer = new Viewer({
      now: () => this.time,
      wall: () => this.time + this.asleep,
      random: () => this.random,
      hidden: () => this.hidden,
      token: () => this.token,
      signaling: (hello) => this.sockets[this.sockets.push(new FakeSignaling(hello)) - 1],
      refusal: async () => this.refusedBy,
      peer: (offer, listener) => this.peers[this.peers.push(new FakePeer(offer, listener)) - 1],
      player: async (grant, listener) => this.players[this.players.push(new FakePlayer(grant, listener)) - 1],
      picture: this.picture,
      meter: () => this.meter,
      unplayable: () => this.unplayable,
      noWebrtc: () => this.noWebrtc,
      hasMediaSource: () => this.hasMediaSource,
      changed: (view) => this.states.at(-1) !== view.state && this.states.push(view.state),
      reload: () => (this.reloads += 1),
      log: (text) => this.log.push(text),
    });
    this.viewer.start();
  }

  get view() { return this.viewer.view; }
  get state() { return this.viewer.view.state; }
  get socket() { return this.sockets.at(-1); }
  get peer() { return this.peers.at(-1); }
  get player() { return this.players.at(-1); }

  /** Returns the messages of one type that were sent on the newest socket. */
  sent(type) {
    return this.socket.sent.filter((message) => message.type === type);
  }

  receive(type, fields = {}) {
    this.socket.listener.message(JSON.stringify({ type, ...fields }));
  }

  close(code) {
    this.socket.listener.close(code);
  }

  welcome(state = "live", fields = {}) {
    this.socket.open();
    this.receive("welcome", {
      session: "s", resume: "secret", resumed: false, heartbeat: HEARTBEAT, viewers: 1, stream: { state, since: 1, sound: "on" }, ...fields,
    });
  }

  stream(state, fields = {}) {
    this.receive("stream", { state, since: 1, sound: "on", ...fields });
  }

  offer(id = 1, fields = {}) {
    this.receive("offer", { id, sdp: "v=0", ice_servers: [], ...fields });
  }

  /** Connects until frames are shown. */
  async play(id = 1, fields = {}) {
    this.welcome();
    this.offer(id, fields);
    this.peer.listener.network("connected");
    await this.run(400, { frames: true });
  }

  /**
   * Advances the time, with frames if `frames`; with `answers`, the daemon answers heartbeats.
   * @param {number} ms
   */
  async run(ms, { frames = false, packets = frames, answers = true } = {}) {
    const end = this.time + ms;
    while (this.time < end) {
      this.time += FRAME;
      if (frames) this.viewer.frame(this.time, 0);
      if (packets && this.peer) this.peer.packets += 1;
      if (this.time % TICK === 0) await this.tick(answers);
    }
  }

  async tick(answers = true) {
    const before = this.socket.sent.length;
    const { socket } = this;
    this.viewer.tick();
    for (const message of socket.sent.slice(before)) {
      if (message.type === "heartbeat" && answers && this.socket === socket) this.receive("heartbeat", { t: message.t, now: this.time + 1000 });
    }
    await null; // getStats
    await null;
  }
}
