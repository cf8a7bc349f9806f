/** The connection table: maps state and event to the next state and actions. Events that are not listed are ignored. */

/** The connection to the daemon ends. @type {Row} */
const SIGNALING_ENDS = {
  "signal:lost": ["reconnecting", "retry-soon"],
  "signal:busy": ["reconnecting", "retry-later"],
  "signal:full": ["full", "drop-picture", "retry-later"],
  "signal:denied": ["denied", "drop-picture"],
  "signal:refused": ["refused", "drop-picture", "retry-later"],
  "signal:stopped": ["stopped", "drop-picture"],
  "page:start": ["connecting", "connect"],
};

/** The state of the stream, from `welcome` and `stream` messages. @type {Row} */
const STREAM_CHANGES = {
  "stream:offline": ["standby", "drop-picture"],
  "stream:stopping": ["standby", "drop-picture"],
  "stream:starting": ["starting"],
  "stream:live": ["connecting"],
  "stream:failed": ["failed"],
};

/** A repeated `live`, for example because the audio has changed, has no effect. @type {Row} */
const STREAM_CHANGES_WHILE_LIVE = { ...STREAM_CHANGES, "stream:live": undefined };

/** Frames are shown or expected. @type {Row} */
const PLAYBACK = {
  "peer:failed": ["reconnecting", "restart-ice"],
  "peer:refused": ["reconnecting", "restart-decoder"],
  "media:lost": ["reconnecting"],
  "route:none": ["noroute", "retry-slowly"],
  "route:unsupported": ["unsupported", "leave"],
  "frame:gone": ["reconnecting", "restart-frames"],
  "play:refused": ["blocked"],
  "play:paused": ["blocked"],
};

/** There is no connection yet. @param {State} state @returns {Row} */
const connectionAttempts = (state) => ({
  "page:wake": [state, "retry-now"],
  "page:try": [state, "retry-now"],
  "page:retry": [state, "retry-now"],
  "signal:unanswered": [state, "retry-soon"],
  "signal:silent": ["unreachable"],
});

/** @type {Readonly<Record<State, Row>>} */
export const TABLE = {
  connecting: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES_WHILE_LIVE, ...PLAYBACK, ...connectionAttempts("connecting"),
    "page:try": undefined,
    "page:unplayable": ["unsupported"],
    "peer:failed": ["connecting", "restart-ice"],
    "media:lost": undefined, // it is opened again
    "frame:new": ["live"],
    "frame:flat": ["connecting", "keyframe"],
    "frame:silent": ["connecting", "probe"],
  },
  standby: { ...SIGNALING_ENDS, ...STREAM_CHANGES },
  starting: { ...SIGNALING_ENDS, ...STREAM_CHANGES },
  live: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES_WHILE_LIVE, ...PLAYBACK,
    "peer:new": ["connecting"],
    "frame:weak": ["unstable"],
  },
  blocked: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES_WHILE_LIVE, ...PLAYBACK,
    "play:refused": undefined, // already blocked
    "play:paused": undefined,
    "peer:new": ["connecting"],
    "page:tap": ["blocked", "play"],
    "frame:new": ["live"],
  },
  unstable: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES_WHILE_LIVE, ...PLAYBACK,
    "peer:new": ["connecting"],
    "frame:new": ["live"],
    "frame:flat": ["unstable", "keyframe"],
    "frame:silent": ["unstable", "probe"],
  },
  reconnecting: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES_WHILE_LIVE, ...PLAYBACK, ...connectionAttempts("reconnecting"),
    "frame:new": ["live"],
    "frame:flat": ["reconnecting", "keyframe"],
    "frame:silent": ["reconnecting", "probe"],
  },
  noroute: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES_WHILE_LIVE,
    "page:wake": ["connecting", "retry-now"],
    "page:try": ["connecting", "retry-now"],
    "page:retry": ["noroute", "retry-now", "retry-slowly"],
    "frame:new": ["live"],
  },
  failed: { ...SIGNALING_ENDS, ...STREAM_CHANGES },
  unreachable: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES, ...connectionAttempts("unreachable"),
    "signal:silent": undefined,
  },
  refused: { ...SIGNALING_ENDS, ...STREAM_CHANGES, ...connectionAttempts("refused") },
  full: {
    ...SIGNALING_ENDS, ...STREAM_CHANGES,
    "page:retry": ["full", "retry-now"],
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

/** Returns next state and actions, or null if the event is ignored. @param {State} state @param {ConnectionEvent} event */
export function step(state, event) {
  const row = TABLE[state][event];
  if (!row) return null;
  const [next, ...actions] = row;
  return { state: next, actions };
}
