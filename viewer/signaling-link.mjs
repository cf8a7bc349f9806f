/** The signaling connection to the daemon: connects, sends heartbeats, and reconnects with back-off. */

import { CONNECT_TIMEOUT, Heartbeat, RETRY_LATER, STABLE_AFTER, SILENCE_TIMEOUT, retryDelay } from "./liveness.mjs";
import { CLOSE_CODES, parse } from "./protocol.mjs";

/** Close code for an abandoned connection; 1000 and 1001 would end the session. */
const ABANDONED = 4002;
/** Minimum age of an attempt, in ms, before another replaces it: several wake-up events may occur at once. */
const MIN_ATTEMPT_AGE = 500;

export class SignalingLink {
  /** @type {Signaling | null} */
  signaling = null;
  /** @type {Heartbeat | null} set from `welcome` on */
  heartbeat = null;
  attempt = 0;
  startedAt = 0;
  welcomedAt = 0;
  /** @type {number | null} */
  lostAt = null;
  /** @type {number | null} */
  retryAt = null;
  /** @type {Set<string>} */
  logged = new Set();
  /** the error code if the daemon rejected the token */
  tokenError = "";

  /** @param {SignalingLinkPorts} ports */
  constructor(ports) {
    this.ports = ports;
  }

  /** Whether there is a connection with an open session. */
  get up() {
    return this.heartbeat !== null;
  }

  /** Opens a new connection, and abandons the current one. */
  connect() {
    const now = this.ports.now();
    if (this.signaling && !this.up && now - this.startedAt < MIN_ATTEMPT_AGE) return;
    this.#drop(ABANDONED);
    this.startedAt = now;
    this.lostAt ??= now;
    this.retryAt = null;
    this.tokenError = "";
    this.signaling = this.ports.signaling(() => this.ports.hello());
    this.signaling.listen({
      message: (data) => this.#received(data),
      close: (code) => this.#closed(code),
    });
  }

  retrySoon() {
    const now = this.ports.now();
    this.retryAt = now + retryDelay(this.attempt, now - (this.lostAt ?? now), this.ports.random());
    this.attempt += 1;
  }

  /** Retries after a longer wait, because the daemon did answer. @param {number} [times]  failed retries; each doubles the wait */
  retryLater(times = 0) {
    this.retryAt = this.ports.now() + RETRY_LATER * 2 ** Math.min(times, 2);
    if (!this.up) this.lostAt = this.retryAt;
  }

  /** Ends the session and closes the connection. */
  leave() {
    this.send({ type: "bye" });
    this.#drop(1000);
    this.lostAt = this.retryAt = null;
  }

  /** @param {Outgoing} message */
  send(message) {
    if (!this.signaling?.send(message)) return;
    this.heartbeat?.sent(this.ports.now());
  }

  /** Sends a heartbeat; the answer contains the daemon's clock, too. */
  sendHeartbeat() {
    if (!this.signaling || !this.heartbeat) return;
    const now = this.ports.now();
    this.signaling.send({ type: "heartbeat", t: now });
    this.heartbeat.beat(now, this.signaling.buffered);
  }

  /** Tests a doubtful connection: it is abandoned if no answer arrives within 1.5 s. */
  probe() {
    this.sendHeartbeat();
    this.heartbeat?.expectAnswer(this.ports.now());
  }

  /** @param {number} idle  seconds, from `welcome` */
  welcomed(idle) {
    const now = this.ports.now();
    this.heartbeat = new Heartbeat(idle * 1000, now);
    this.welcomedAt = now;
    this.lostAt = null;
  }

  /** Must be called several times per second. */
  tick() {
    const now = this.ports.now();
    const due = this.signaling && this.heartbeat?.due(now, this.signaling.buffered);
    if (due === "beat") this.sendHeartbeat();
    if (due === "dead" || (this.signaling && !this.up && now - this.startedAt >= CONNECT_TIMEOUT)) this.#lost();
    if (this.lostAt !== null && now - this.lostAt >= SILENCE_TIMEOUT) this.ports.event("signal:silent");
    if (this.retryAt === null || now < this.retryAt) return;
    this.retryAt = null;
    this.ports.event("page:retry");
  }

  /** @param {unknown} data */
  #received(data) {
    this.heartbeat?.received();
    const message = parse(data);
    if (typeof message === "string") return this.#ignore(message);
    if (message.type === "heartbeat" && message.ask) this.sendHeartbeat();
    if (message.type === "error" && message.code.startsWith("token-")) this.tokenError = message.code;
    this.ports.message(message);
  }

  /** Logs once why a message is ignored. @param {string} why */
  #ignore(why) {
    if (!this.logged.has(why)) this.ports.log(`ignored: ${why}`);
    this.logged.add(why);
  }

  /** @param {number} code */
  #closed(code) {
    const event = CLOSE_CODES[code] ?? "signal:lost";
    if (event === "signal:lost") return this.#lost();
    this.#drop(1000);
    this.lostAt = this.retryAt = null;
    this.ports.event(event, (event === "signal:denied" && this.tokenError) || String(code));
  }

  /** The connection was lost, or could not be established. */
  #lost() {
    const wasUp = this.up;
    const now = this.ports.now();
    this.#drop(ABANDONED);
    if (wasUp && now - this.welcomedAt >= STABLE_AFTER) this.attempt = 0;
    this.lostAt ??= now;
    this.ports.event(wasUp ? "signal:lost" : "signal:unanswered", "signal");
    if (!wasUp) this.ports.refusal().then((setting) => setting && !this.up && this.ports.event("signal:refused", setting));
  }

  /** @param {number} code */
  #drop(code) {
    this.signaling?.drop(code);
    this.signaling = null;
    this.heartbeat = null;
  }
}
