/**
 * The heartbeat: idle for 5 s, dead at the second unanswered one, 1.5 s for a probe. Back-off: from 0.5 s to 3 s in the
 * first minute, to 10 s afterwards, with full jitter.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { CONNECT_TIMEOUT, Heartbeat, RETRY_LATER, SILENCE_TIMEOUT, retryDelay } from "../../viewer/liveness.mjs";

const IDLE = 5000;
const T0 = 1_000_000;
const started = () => new Heartbeat(IDLE, T0);

test("a heartbeat is due after 5 s without sending, not before", () => {
  const heartbeat = started();
  assert.equal(heartbeat.due(T0 + 4999, 0), "wait");
  assert.equal(heartbeat.due(T0 + 5000, 0), "beat");
});

test("any message sent postpones the heartbeat", () => {
  const heartbeat = started();
  heartbeat.sent(T0 + 4000);
  assert.equal(heartbeat.due(T0 + 8999, 0), "wait");
  assert.equal(heartbeat.due(T0 + 9000, 0), "beat");
});

test("received messages do not postpone the heartbeat", () => {
  const heartbeat = started();
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 5000, 0), "beat");
});

test("connection is dead when the second heartbeat is due and the first is unanswered", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 0);
  assert.equal(heartbeat.due(T0 + 9999, 0), "wait");
  assert.equal(heartbeat.due(T0 + 10_000, 0), "dead");
});

test("any message received keeps the connection alive", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 0);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 0), "beat");
});

test("connection with a stuck send buffer is dead, even if messages arrive", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 40);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 40), "dead");
});

test("connection with an emptied send buffer is alive", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 40);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 0), "beat");
});

test("probe requires a message within 1.5 s", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 100, 0);
  heartbeat.expectAnswer(T0 + 100);
  assert.equal(heartbeat.due(T0 + 1599, 0), "wait");
  assert.equal(heartbeat.due(T0 + 1600, 0), "dead");
});

test("first message ends a probe", () => {
  const heartbeat = started();
  heartbeat.expectAnswer(T0);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 1600, 0), "wait");
});

test("repeated probes do not extend the deadline", () => {
  const heartbeat = started();
  heartbeat.expectAnswer(T0);
  heartbeat.expectAnswer(T0 + 1400);
  assert.equal(heartbeat.due(T0 + 1500, 0), "dead");
});

test("requested heartbeats keep a hidden page alive whose timers run once a minute", () => {
  const heartbeat = started();
  for (let now = T0; now < T0 + 60_000; now += 5500) {
    heartbeat.received(); // heartbeat with ask
    heartbeat.beat(now, 0); // answered in the message handler
    heartbeat.received(); // and the answer to that
  }
  assert.notEqual(heartbeat.due(T0 + 60_000, 0), "dead");
});

test("back-off doubles up to the cap", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 50].map((attempt) => retryDelay(attempt, 0, 1)), [500, 1000, 2000, 3000, 3000, 3000]);
});

test("cap of the back-off grows after a minute", () => {
  assert.equal(retryDelay(10, 59_999, 1), 3000);
  assert.equal(retryDelay(10, 60_000, 1), 10_000);
  assert.equal(retryDelay(1000, 1e9, 1), 10_000);
});

test("back-off has full jitter", () => {
  assert.equal(retryDelay(2, 0, 0), 0);
  assert.equal(retryDelay(2, 0, 0.5), 1000);
});

test("timings of the protocol", () => {
  assert.deepEqual([CONNECT_TIMEOUT, RETRY_LATER, SILENCE_TIMEOUT], [3000, 15_000, 30_000]);
});
