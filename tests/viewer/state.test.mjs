/** The connection table, row by row. */

import assert from "node:assert/strict";
import test from "node:test";

import { CLOSE_CODES, STREAM_STATES } from "../../viewer/protocol.mjs";
import { TABLE, step } from "../../viewer/state.mjs";

const STATES = [
  "connecting", "standby", "starting", "live", "blocked", "unstable", "reconnecting", "noroute", "failed", "unreachable", "refused", "full",
  "denied", "stopped", "unsupported",
];
const ACTIONS = [
  "connect", "retry-soon", "retry-later", "retry-slowly", "retry-now", "leave", "reload", "restart-ice", "restart-frames",
  "restart-decoder", "keyframe", "probe", "play", "drop-picture",
];

/** The whole table: state, event, next state and actions. */
const EXPECTED = `
connecting  page:start connecting connect
connecting  page:wake connecting retry-now
connecting  page:retry connecting retry-now
connecting  page:unplayable unsupported
connecting  signal:lost reconnecting retry-soon
connecting  signal:unanswered connecting retry-soon
connecting  signal:silent unreachable
connecting  signal:busy reconnecting retry-later
connecting  signal:full full drop-picture retry-later
connecting  signal:denied denied drop-picture
connecting  signal:refused refused drop-picture retry-later
connecting  signal:stopped stopped drop-picture
connecting  stream:offline standby drop-picture
connecting  stream:stopping standby drop-picture
connecting  stream:starting starting
connecting  stream:failed failed
connecting  peer:failed connecting restart-ice
connecting  route:none noroute retry-slowly
connecting  peer:refused reconnecting restart-decoder
connecting  route:unsupported unsupported leave
connecting  frame:new live
connecting  frame:flat connecting keyframe
connecting  frame:silent connecting probe
connecting  frame:gone reconnecting restart-frames
connecting  play:refused blocked
connecting  play:paused blocked
standby  page:start connecting connect
standby  signal:lost reconnecting retry-soon
standby  signal:busy reconnecting retry-later
standby  signal:full full drop-picture retry-later
standby  signal:denied denied drop-picture
standby  signal:refused refused drop-picture retry-later
standby  signal:stopped stopped drop-picture
standby  stream:offline standby drop-picture
standby  stream:stopping standby drop-picture
standby  stream:starting starting
standby  stream:live connecting
standby  stream:failed failed
starting  page:start connecting connect
starting  signal:lost reconnecting retry-soon
starting  signal:busy reconnecting retry-later
starting  signal:full full drop-picture retry-later
starting  signal:denied denied drop-picture
starting  signal:refused refused drop-picture retry-later
starting  signal:stopped stopped drop-picture
starting  stream:offline standby drop-picture
starting  stream:stopping standby drop-picture
starting  stream:starting starting
starting  stream:live connecting
starting  stream:failed failed
live  page:start connecting connect
live  signal:lost reconnecting retry-soon
live  signal:busy reconnecting retry-later
live  signal:full full drop-picture retry-later
live  signal:denied denied drop-picture
live  signal:refused refused drop-picture retry-later
live  signal:stopped stopped drop-picture
live  stream:offline standby drop-picture
live  stream:stopping standby drop-picture
live  stream:starting starting
live  stream:failed failed
live  peer:new connecting
live  peer:failed reconnecting restart-ice
live  route:none noroute retry-slowly
live  peer:refused reconnecting restart-decoder
live  media:lost reconnecting
live  route:unsupported unsupported leave
live  frame:weak unstable
live  frame:gone reconnecting restart-frames
live  play:refused blocked
live  play:paused blocked
blocked  page:start connecting connect
blocked  page:tap blocked play
blocked  signal:lost reconnecting retry-soon
blocked  signal:busy reconnecting retry-later
blocked  signal:full full drop-picture retry-later
blocked  signal:denied denied drop-picture
blocked  signal:refused refused drop-picture retry-later
blocked  signal:stopped stopped drop-picture
blocked  stream:offline standby drop-picture
blocked  stream:stopping standby drop-picture
blocked  stream:starting starting
blocked  stream:failed failed
blocked  peer:new connecting
blocked  peer:failed reconnecting restart-ice
blocked  route:none noroute retry-slowly
blocked  peer:refused reconnecting restart-decoder
blocked  media:lost reconnecting
blocked  route:unsupported unsupported leave
blocked  frame:new live
blocked  frame:gone reconnecting restart-frames
unstable  page:start connecting connect
unstable  signal:lost reconnecting retry-soon
unstable  signal:busy reconnecting retry-later
unstable  signal:full full drop-picture retry-later
unstable  signal:denied denied drop-picture
unstable  signal:refused refused drop-picture retry-later
unstable  signal:stopped stopped drop-picture
unstable  stream:offline standby drop-picture
unstable  stream:stopping standby drop-picture
unstable  stream:starting starting
unstable  stream:failed failed
unstable  peer:new connecting
unstable  peer:failed reconnecting restart-ice
unstable  route:none noroute retry-slowly
unstable  peer:refused reconnecting restart-decoder
unstable  media:lost reconnecting
unstable  route:unsupported unsupported leave
unstable  frame:new live
unstable  frame:flat unstable keyframe
unstable  frame:silent unstable probe
unstable  frame:gone reconnecting restart-frames
unstable  play:refused blocked
unstable  play:paused blocked
reconnecting  page:start connecting connect
reconnecting  page:wake reconnecting retry-now
reconnecting  page:try reconnecting retry-now
reconnecting  page:retry reconnecting retry-now
reconnecting  signal:lost reconnecting retry-soon
reconnecting  signal:unanswered reconnecting retry-soon
reconnecting  signal:silent unreachable
reconnecting  signal:busy reconnecting retry-later
reconnecting  signal:full full drop-picture retry-later
reconnecting  signal:denied denied drop-picture
reconnecting  signal:refused refused drop-picture retry-later
reconnecting  signal:stopped stopped drop-picture
reconnecting  stream:offline standby drop-picture
reconnecting  stream:stopping standby drop-picture
reconnecting  stream:starting starting
reconnecting  stream:failed failed
reconnecting  peer:failed reconnecting restart-ice
reconnecting  route:none noroute retry-slowly
reconnecting  peer:refused reconnecting restart-decoder
reconnecting  media:lost reconnecting
reconnecting  route:unsupported unsupported leave
reconnecting  frame:new live
reconnecting  frame:flat reconnecting keyframe
reconnecting  frame:silent reconnecting probe
reconnecting  frame:gone reconnecting restart-frames
reconnecting  play:refused blocked
reconnecting  play:paused blocked
noroute  page:start connecting connect
noroute  page:wake connecting retry-now
noroute  page:try connecting retry-now
noroute  page:retry noroute retry-now retry-slowly
noroute  signal:lost reconnecting retry-soon
noroute  signal:busy reconnecting retry-later
noroute  signal:full full drop-picture retry-later
noroute  signal:denied denied drop-picture
noroute  signal:refused refused drop-picture retry-later
noroute  signal:stopped stopped drop-picture
noroute  stream:offline standby drop-picture
noroute  stream:stopping standby drop-picture
noroute  stream:starting starting
noroute  stream:failed failed
noroute  frame:new live
failed  page:start connecting connect
failed  signal:lost reconnecting retry-soon
failed  signal:busy reconnecting retry-later
failed  signal:full full drop-picture retry-later
failed  signal:denied denied drop-picture
failed  signal:refused refused drop-picture retry-later
failed  signal:stopped stopped drop-picture
failed  stream:offline standby drop-picture
failed  stream:stopping standby drop-picture
failed  stream:starting starting
failed  stream:live connecting
failed  stream:failed failed
unreachable  page:start connecting connect
unreachable  page:wake unreachable retry-now
unreachable  page:try unreachable retry-now
unreachable  page:retry unreachable retry-now
unreachable  signal:unanswered unreachable retry-soon
unreachable  signal:lost reconnecting retry-soon
unreachable  signal:busy reconnecting retry-later
unreachable  signal:full full drop-picture retry-later
unreachable  signal:denied denied drop-picture
unreachable  signal:refused refused drop-picture retry-later
unreachable  signal:stopped stopped drop-picture
unreachable  stream:offline standby drop-picture
unreachable  stream:stopping standby drop-picture
unreachable  stream:starting starting
unreachable  stream:live connecting
unreachable  stream:failed failed
refused  page:start connecting connect
refused  page:wake refused retry-now
refused  page:try refused retry-now
refused  page:retry refused retry-now
refused  signal:unanswered refused retry-soon
refused  signal:silent unreachable
refused  signal:lost reconnecting retry-soon
refused  signal:busy reconnecting retry-later
refused  signal:full full drop-picture retry-later
refused  signal:denied denied drop-picture
refused  signal:refused refused drop-picture retry-later
refused  signal:stopped stopped drop-picture
refused  stream:offline standby drop-picture
refused  stream:stopping standby drop-picture
refused  stream:starting starting
refused  stream:live connecting
refused  stream:failed failed
full  page:start connecting connect
full  page:retry full retry-now
full  signal:unanswered reconnecting retry-soon
full  signal:lost reconnecting retry-soon
full  signal:busy reconnecting retry-later
full  signal:full full drop-picture retry-later
full  signal:denied denied drop-picture
full  signal:refused refused drop-picture retry-later
full  signal:stopped stopped drop-picture
full  stream:offline standby drop-picture
full  stream:stopping standby drop-picture
full  stream:starting starting
full  stream:live connecting
full  stream:failed failed
denied  page:start connecting connect
denied  page:token connecting connect
stopped  page:start connecting connect
stopped  page:try stopped reload
`.trim().split("\n").map((line) => line.split(/\s+/));

const transitions = Object.entries(TABLE).flatMap(([state, row]) =>
  Object.entries(row).filter(([, found]) => found).map(([event, [next, ...actions]]) => ({ state, event, next, actions })),
);

test("the table has all states", () => {
  assert.deepEqual(Object.keys(TABLE), STATES);
});

for (const [state, event, next, ...actions] of EXPECTED) {
  test(`${state}: ${event} → ${[next, ...actions].join(" ")}`, () => {
    assert.deepEqual(step(state, event), { state: next, actions });
  });
}

test("no other event has an effect", () => {
  const expected = EXPECTED.map(([state, event]) => `${state} ${event}`).sort();
  assert.deepEqual(transitions.map(({ state, event }) => `${state} ${event}`).sort(), expected);
});

test("every state is reachable from the first one", () => {
  const reached = new Set(["connecting"]);
  for (const state of reached) for (const found of transitions) if (found.state === state) reached.add(found.next);
  assert.deepEqual([...reached].sort(), [...STATES].sort());
});

test("every action exists and is used", () => {
  assert.deepEqual([...new Set(transitions.flatMap(({ actions }) => actions))].sort(), [...ACTIONS].sort());
});

test("only a frame leads to live", () => {
  const ways = transitions.filter(({ next, state }) => next === "live" && state !== "live");
  assert.ok(ways.length > 0);
  for (const { event } of ways) assert.equal(event, "frame:new");
});

test("no state except unsupported is a dead end", () => {
  for (const state of STATES) {
    const ways = transitions.filter((found) => found.state === state && (found.next !== state || found.actions.length > 0));
    assert.equal(ways.length === 0, state === "unsupported", state);
  }
});

test("every state with a peer connection handles every close code and stream state", () => {
  const events = [...Object.values(CLOSE_CODES), ...STREAM_STATES.map((state) => `stream:${state}`)];
  for (const event of events) {
    if (event !== "stream:live") assert.ok(step("live", event), event);
    assert.ok(step("standby", event), event);
  }
});

test("events that a state does not list are ignored", () => {
  assert.equal(step("live", "frame:new"), null);
  assert.equal(step("live", "stream:live"), null);
  assert.equal(step("failed", "frame:new"), null);
  assert.equal(step("standby", "frame:new"), null);
  assert.equal(step("unsupported", "page:start"), null);
});
