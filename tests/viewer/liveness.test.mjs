/**
 * The heartbeat: idle 5 s, dead at the second unanswered one, 1.5 s for a probe. The ladder of attempts: 0.5 s doubling to
 * 3 s in the first minute, to 10 s afterwards, full jitter.
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

test("whatever is sent puts it off", () => {
  const heartbeat = started();
  heartbeat.sent(T0 + 4000);
  assert.equal(heartbeat.due(T0 + 8999, 0), "wait");
  assert.equal(heartbeat.due(T0 + 9000, 0), "beat");
});

test("what comes does not put it off: the daemon counts what we send", () => {
  const heartbeat = started();
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 5000, 0), "beat");
});

test("the second heartbeat finds the first unanswered: dead", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 0);
  assert.equal(heartbeat.due(T0 + 9999, 0), "wait");
  assert.equal(heartbeat.due(T0 + 10_000, 0), "dead");
});

test("anything at all in between is life", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 0);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 0), "beat");
});

test("bytes that never leave are death, though something comes", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 40);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 40), "dead");
});

test("bytes that left are not", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 40);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 0), "beat");
});

test("a probe wants something within 1.5 s", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 100, 0);
  heartbeat.expectAnswer(T0 + 100);
  assert.equal(heartbeat.due(T0 + 1599, 0), "wait");
  assert.equal(heartbeat.due(T0 + 1600, 0), "dead");
});

test("a probe is over with the first message", () => {
  const heartbeat = started();
  heartbeat.expectAnswer(T0);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 1600, 0), "wait");
});

test("probe upon probe does not push the deadline away", () => {
  const heartbeat = started();
  heartbeat.expectAnswer(T0);
  heartbeat.expectAnswer(T0 + 1400);
  assert.equal(heartbeat.due(T0 + 1500, 0), "dead");
});

test("a hidden page whose timer comes once a minute, kept by the daemon's asking, stays", () => {
  const heartbeat = started();
  for (let now = T0; now < T0 + 60_000; now += 5500) {
    heartbeat.received(); // heartbeat with ask
    heartbeat.beat(now, 0); // answered in the message handler
    heartbeat.received(); // and answered in turn
  }
  assert.notEqual(heartbeat.due(T0 + 60_000, 0), "dead");
});

test("the steps", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 50].map((attempt) => retryDelay(attempt, 0, 1)), [500, 1000, 2000, 3000, 3000, 3000]);
});

test("the cap grows after a minute", () => {
  assert.equal(retryDelay(10, 59_999, 1), 3000);
  assert.equal(retryDelay(10, 60_000, 1), 10_000);
  assert.equal(retryDelay(1000, 1e9, 1), 10_000);
});

test("full jitter: from nothing to the whole step", () => {
  assert.equal(retryDelay(2, 0, 0), 0);
  assert.equal(retryDelay(2, 0, 0.5), 1000);
});

test("the waits of the protocol", () => {
  assert.deepEqual([CONNECT_TIMEOUT, RETRY_LATER, SILENCE_TIMEOUT], [3000, 15_000, 30_000]);
});
