/** When a connection is dead, and when the next is tried. Pure: times are ms, randomness is an argument. */

/** An attempt without a `welcome` is given up after this. */
export const CONNECT_TIMEOUT = 3000;
/** The wait after close codes 4003 and 4005. */
export const RETRY_LATER = 15_000;
/** After this long without an answer, nothing is there. */
export const SILENCE_TIMEOUT = 30_000;
/** A connection that lived this long resets the back-off. */
export const STABLE_AFTER = 5000;

const FIRST_DELAY = 500;
const MINUTE = 60_000;

/**
 * 0.5 s, doubling up to 3 s in the first minute, then 10 s, with full jitter.
 * @param {number} attempt  0 for the first
 * @param {number} lost  ms since the connection was lost
 * @param {number} random  0 to 1
 */
export function retryDelay(attempt, lost, random) {
  const cap = lost < MINUTE ? 3000 : 10_000;
  return random * Math.min(cap, FIRST_DELAY * 2 ** attempt);
}

/** How long a doubted connection may take to answer. */
export const PROBE_TIMEOUT = 1500;

/**
 * After `idle` without sending, a heartbeat is due. When the second is due and nothing came since the first, or the
 * first is still buffered, the connection is dead.
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

  /** Something was sent. @param {number} now */
  sent(now) {
    this.sentAt = now;
  }

  /** Something came, whatever it was. */
  received() {
    this.unanswered = false;
    this.deadline = Infinity;
  }

  /** A heartbeat went out. @param {number} now @param {number} buffered  `WebSocket.bufferedAmount` right after it, bytes */
  beat(now, buffered) {
    this.sentAt = now;
    this.unanswered = true;
    this.waiting = buffered;
  }

  /** A heartbeat went out, and something must come soon. @param {number} now */
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
