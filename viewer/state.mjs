/** The connection table: state and event give the next state and the actions. An event not listed is ignored. */

/** The signaling connection ends. @type {Row} */
const DISCONNECTS = {
  "signal:lost": ["reconnecting", "retry-soon"],
  "signal:busy": ["reconnecting", "retry-later"],
  "signal:full": ["full", "drop-picture", "retry-later"],
  "signal:denied": ["denied", "drop-picture"],
  "signal:refused": ["refused", "drop-picture", "retry-later"],
  "signal:stopped": ["stopped", "drop-picture"],
  "page:start": ["connecting", "connect"],
};

/** The stream's state, from `welcome` or `stream`. @type {Row} */
const CHANGES = {
  "stream:offline": ["standby", "drop-picture"],
  "stream:stopping": ["standby", "drop-picture"],
  "stream:starting": ["starting"],
  "stream:live": ["connecting"],
  "stream:failed": ["failed"],
};

/** `live` is sent again when the audio changes: ignore it. @type {Row} */
const CHANGES_WHILE_LIVE = { ...CHANGES, "stream:live": undefined };

/** Frames are being presented, or expected. @type {Row} */
const PLAYBACK = {
  "peer:failed": ["reconnecting", "restart-ice"],
  "peer:failed-again": ["noroute", "retry-slowly"],
  "peer:refused": ["reconnecting", "restart-decoder"],
  "peer:refused-again": ["unsupported", "leave"],
  "frame:gone": ["reconnecting", "restart-frames"],
  "play:refused": ["blocked"],
  "play:paused": ["blocked"],
};

/** Not connected yet. @param {State} state @returns {Row} */
const attempts = (state) => ({
  "page:wake": [state, "again"],
  "page:try": [state, "again"],
  "page:retry": [state, "again"],
  "signal:unanswered": [state, "retry-soon"],
  "signal:silent": ["unreachable"],
});

/** @type {Readonly<Record<State, Row>>} */
export const TABLE = {
  connecting: {
    ...DISCONNECTS, ...CHANGES_WHILE_LIVE, ...PLAYBACK, ...attempts("connecting"),
    "page:try": undefined,
    "page:unplayable": ["unsupported"],
    "peer:failed": ["connecting", "restart-ice"],
    "frame:new": ["live"],
    "frame:flat": ["connecting", "keyframe"],
    "frame:silent": ["connecting", "probe"],
  },
  standby: { ...DISCONNECTS, ...CHANGES },
  starting: { ...DISCONNECTS, ...CHANGES },
  live: {
    ...DISCONNECTS, ...CHANGES_WHILE_LIVE, ...PLAYBACK,
    "peer:new": ["connecting"],
    "frame:weak": ["unstable"],
  },
  blocked: {
    ...DISCONNECTS, ...CHANGES_WHILE_LIVE, ...PLAYBACK,
    "play:refused": undefined, // already known
    "play:paused": undefined,
    "peer:new": ["connecting"],
    "page:tap": ["blocked", "play"],
    "frame:new": ["live"],
  },
  unstable: {
    ...DISCONNECTS, ...CHANGES_WHILE_LIVE, ...PLAYBACK,
    "peer:new": ["connecting"],
    "frame:new": ["live"],
    "frame:flat": ["unstable", "keyframe"],
    "frame:silent": ["unstable", "probe"],
  },
  reconnecting: {
    ...DISCONNECTS, ...CHANGES_WHILE_LIVE, ...PLAYBACK, ...attempts("reconnecting"),
    "frame:new": ["live"],
    "frame:flat": ["reconnecting", "keyframe"],
    "frame:silent": ["reconnecting", "probe"],
  },
  noroute: {
    ...DISCONNECTS, ...CHANGES_WHILE_LIVE,
    "page:wake": ["connecting", "again"],
    "page:try": ["connecting", "again"],
    "page:retry": ["noroute", "again", "retry-slowly"],
    "frame:new": ["live"],
  },
  failed: { ...DISCONNECTS, ...CHANGES },
  unreachable: {
    ...DISCONNECTS, ...CHANGES, ...attempts("unreachable"),
    "signal:silent": undefined,
  },
  refused: { ...DISCONNECTS, ...CHANGES, ...attempts("refused") },
  full: {
    ...DISCONNECTS, ...CHANGES,
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

/** The next state and the actions; null if the event is ignored. @param {State} state @param {ConnectionEvent} event */
export function step(state, event) {
  const row = TABLE[state][event];
  if (!row) return null;
  const [next, ...actions] = row;
  return { state: next, actions };
}
