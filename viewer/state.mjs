/** The connection table: state and event give the next state and the actions. An event not listed is ignored. */

/** The connection to the daemon ends. @type {Row} */
const ENDS = {
  "signal:lost": ["reconnecting", "retry-soon"],
  "signal:busy": ["reconnecting", "retry-later"],
  "signal:full": ["full", "drop-picture", "retry-later"],
  "signal:denied": ["denied", "drop-picture"],
  "signal:refused": ["refused", "drop-picture", "retry-later"],
  "signal:stopped": ["stopped", "drop-picture"],
  "page:start": ["connecting", "connect"],
};

/** What the daemon says about the stream, in `welcome` and in `stream`. @type {Row} */
const SAYS = {
  "stream:offline": ["standby", "drop-picture"],
  "stream:stopping": ["standby", "drop-picture"],
  "stream:starting": ["starting"],
  "stream:live": ["connecting"],
  "stream:failed": ["failed"],
};

/** `live` again, because its sound changed, is no news. @type {Row} */
const SAYS_WHILE_LIVE = { ...SAYS, "stream:live": undefined };

/** Frames come, or are waited for. @type {Row} */
const WATCHES = {
  "peer:failed": ["reconnecting", "restart-ice"],
  "peer:failed-again": ["noroute", "retry-slowly"],
  "peer:refused": ["reconnecting", "restart-decoder"],
  "peer:refused-again": ["unsupported", "leave"],
  "frame:gone": ["reconnecting", "restart-frames"],
  "play:refused": ["blocked"],
  "play:paused": ["blocked"],
};

/** No connection yet. @param {State} state @returns {Row} */
const tries = (state) => ({
  "page:wake": [state, "again"],
  "page:try": [state, "again"],
  "page:retry": [state, "again"],
  "signal:unanswered": [state, "retry-soon"],
  "signal:silent": ["unreachable"],
});

/** @type {Readonly<Record<State, Row>>} */
export const TABLE = {
  connecting: {
    ...ENDS, ...SAYS_WHILE_LIVE, ...WATCHES, ...tries("connecting"),
    "page:try": undefined,
    "page:unplayable": ["unsupported"],
    "peer:failed": ["connecting", "restart-ice"],
    "frame:new": ["live"],
    "frame:flat": ["connecting", "keyframe"],
    "frame:silent": ["connecting", "probe"],
  },
  standby: { ...ENDS, ...SAYS },
  starting: { ...ENDS, ...SAYS },
  live: {
    ...ENDS, ...SAYS_WHILE_LIVE, ...WATCHES,
    "peer:new": ["connecting"],
    "frame:weak": ["unstable"],
  },
  blocked: {
    ...ENDS, ...SAYS_WHILE_LIVE, ...WATCHES,
    "play:refused": undefined, // it is known
    "play:paused": undefined,
    "peer:new": ["connecting"],
    "page:tap": ["blocked", "play"],
    "frame:new": ["live"],
  },
  unstable: {
    ...ENDS, ...SAYS_WHILE_LIVE, ...WATCHES,
    "peer:new": ["connecting"],
    "frame:new": ["live"],
    "frame:flat": ["unstable", "keyframe"],
    "frame:silent": ["unstable", "probe"],
  },
  reconnecting: {
    ...ENDS, ...SAYS_WHILE_LIVE, ...WATCHES, ...tries("reconnecting"),
    "frame:new": ["live"],
    "frame:flat": ["reconnecting", "keyframe"],
    "frame:silent": ["reconnecting", "probe"],
  },
  noroute: {
    ...ENDS, ...SAYS_WHILE_LIVE,
    "page:wake": ["connecting", "again"],
    "page:try": ["connecting", "again"],
    "page:retry": ["noroute", "again", "retry-slowly"],
    "frame:new": ["live"],
  },
  failed: { ...ENDS, ...SAYS },
  unreachable: {
    ...ENDS, ...SAYS, ...tries("unreachable"),
    "signal:silent": undefined,
  },
  refused: { ...ENDS, ...SAYS, ...tries("refused") },
  full: {
    ...ENDS, ...SAYS,
    "page:retry": ["full", "again"],
    "signal:unanswered": ["reconnecting", "retry-soon"],
  },
  denied: {
    "page:start": ["connecting", "connect"],
    "page:token": ["connecting", "connect"],
  },
  stopped: {
    "page:start": ["connecting", "connect"],
    "page:try": ["stopped", "reload"],
  },
  unsupported: {},
};

/** One step; null: nothing happens. @param {State} state @param {Happening} event */
export function step(state, event) {
  const found = TABLE[state][event];
  if (!found) return null;
  const [next, ...actions] = found;
  return { state: next, actions };
}
