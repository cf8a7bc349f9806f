/** Detection of dead connections, and back-off. Pure: times are in ms, randomness is an argument. */

/** Time after which an attempt without a `welcome` is abandoned. */
export const CONNECT_TIMEOUT = 3000;
/** Wait after close codes 4003 and 4005. */
export const RETRY_LATER = 15_000;
/** Time without any answer after which the daemon counts as unreachable. */
export const SILENCE_TIMEOUT = 30_000;
/** Lifetime of a connection that resets the back-off. */
export const STABLE_AFTER = 5000;

const FIRST_DELAY = 500;
const MINUTE = 60_000;

/**
 * Returns the delay before the next attempt: 0.5 s, doubling up to 3 s in the first minute, then 10 s, with full jitter.
 * @param {number} attempt  0 for the first
 * @param {number} lost  ms since the connection was lost
 * @param {number} random  0 to 1
 */
export function retryDelay(attempt, lost, random) {
  const cap = lost < MINUTE ? 3000 : 10_000;
  return random * Math.min(cap, FIRST_DELAY * 2 ** attempt);
}

/** Time for a doubtful connection to answer. */
export const PROBE_TIMEOUT = 1500;

/**
 * Schedules heartbeats: one is due after `idle` without sending anything. If nothing was received since the previous one,
 * or it is still in the send buffer, the connection is dead.
 */
export class Heartbeat {
  unanswered = false;
  waiting = 0;
  deadline = Infinity;

  /** @param {number} idle @param {number} now */
  constructor(idle, now) {
    this.idle = idle;
    this.sentAt = now;
  }

  /** A message was sent. @param {number} now */
  sent(now) {
    this.sentAt = now;
  }

  /** A message was received. */
  received() {
    this.unanswered = false;
    this.deadline = Infinity;
  }

  /** A heartbeat was sent. @param {number} now @param {number} buffered  `WebSocket.bufferedAmount` right after it, bytes */
  beat(now, buffered) {
    this.sentAt = now;
    this.unanswered = true;
    this.waiting = buffered;
  }

  /** A heartbeat was sent, and a message must be received within `PROBE_TIMEOUT`. @param {number} now */
  expectAnswer(now) {
    this.deadline = Math.min(this.deadline, now + PROBE_TIMEOUT);
  }

  /** @param {number} now @param {number} buffered  `WebSocket.bufferedAmount`, bytes */
  due(now, buffered) {
    if (now >= this.deadline) return "dead";
    if (now - this.sentAt < this.idle) return "wait";
    const stuck = this.waiting > 0 && buffered >= this.waiting;
    return this.unanswered || stuck ? "dead" : "beat";
  }
}
