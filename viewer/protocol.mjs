/** Signaling protocol 1: names shared with the daemon (more of them in `types.d.ts`), and validation of messages. */

export const SUBPROTOCOL = "broadcaster.v1";

export const STREAM_STATES = ["offline", "starting", "live", "stopping", "failed"];
export const SOUND = ["on", "none", "lost"];
export const QUALITIES = ["full", "small"];

/**
 * Events of the connection table by close code; any other code, such as 1006, is `signal:lost`.
 * @type {Readonly<Record<number, ConnectionEvent>>}
 */
export const CLOSE_CODES = {
  1000: "signal:stopped",
  1001: "signal:lost",
  1003: "signal:stopped",
  1009: "signal:stopped",
  1012: "signal:lost",
  4000: "signal:stopped",
  4001: "signal:denied",
  4002: "signal:lost",
  4003: "signal:full",
  4004: "signal:stopped",
  4005: "signal:busy",
};

/** @type {Check} */ const text = (value) => typeof value === "string";
/** @type {Check} */ const truth = (value) => typeof value === "boolean";
/** @type {Check} */ const number = (value) => Number.isFinite(value);
/** @type {Check} */ const count = (value) => Number.isSafeInteger(value) && value >= 0;
/** @type {(set: string[]) => Check} */ const oneOf = (set) => (value) => set.includes(value);
/** @type {(check: Check) => Check} */ const optional = (check) => (value) => value == null || check(value);
/** @type {(fields: Record<string, Check>) => Check} */ const object = (fields) => (value) => wrong(value, fields) === null;

const STREAM = { state: oneOf(STREAM_STATES), reason: optional(text), since: number, sound: oneOf(SOUND), quality: optional(oneOf(QUALITIES)) };
const MEDIA = { url: text, ticket: text };

/** @type {Record<string, Record<string, Check>>} */
const FIELDS = {
  welcome: {
    session: text, resume: text, resumed: truth, stream: object(STREAM), viewers: count,
    heartbeat: object({ idle: (value) => number(value) && value > 0 }), media: optional(object(MEDIA)),
  },
  offer: { id: count, sdp: text, ice_servers: Array.isArray, clock: optional(object({ rtp: count, at: number })) },
  candidate: { id: count },
  stream: STREAM,
  viewers: { count },
  media: MEDIA,
  heartbeat: { t: optional(number), now: number, ask: optional(truth) },
  bye: { id: count, reason: text },
  error: { code: text, message: optional(text), field: optional(text), limit: optional(count) },
};

/** Returns the first field of `value` that is missing or invalid, or null. @param {any} value @param {Record<string, Check>} fields */
function wrong(value, fields) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "type";
  return Object.keys(fields).find((name) => !fields[name](value[name])) ?? null;
}

/**
 * Returns a message of the daemon, or a text with the reason if it is invalid.
 * @param {unknown} data  the data of a WebSocket message
 * @returns {Message | string}
 */
export function parse(data) {
  let value;
  try {
    value = JSON.parse(/** @type {string} */ (data));
  } catch {
    return "not JSON";
  }
  const type = value?.type;
  if (typeof type !== "string") return "a message without a type";
  if (!Object.hasOwn(FIELDS, type)) return `a message of type ${type}`;
  const field = wrong(value, FIELDS[type]);
  return field === null ? value : `invalid ${type}.${field}`;
}

/**
 * Returns whether the daemon accepts a candidate: UDP, and no `.local` name.
 * (RFC 8839 §5.1: `candidate:foundation component transport priority address …`)
 * @param {string} candidate
 */
export function isUsefulCandidate(candidate) {
  const [, , transport = "", , address = ""] = candidate.split(" ");
  return transport.toLowerCase() === "udp" && !address.endsWith(".local");
}
