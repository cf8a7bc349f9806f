/**
 * Heartbeats: due after 5 s, dead at the second unanswered one, 1.5 s for a probe. Back-off: 0.5 s, doubling to
 * 3 s in the first minute, then to 10 s, with full jitter.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { CONNECT_TIMEOUT, Heartbeat, RETRY_LATER, SILENCE_TIMEOUT, retryDelay } from "../../viewer/liveness.mjs";

const IDLE = 5000;
const T0 = 1_000_000;
const started = () => new Heartbeat(IDLE, T0);

test("a heartbeat is due after 5 s without sending", () => {
  const heartbeat = started();
  assert.equal(heartbeat.due(T0 + 4999, 0), "wait");
  assert.equal(heartbeat.due(T0 + 5000, 0), "beat");
});

test("any sent message postpones the heartbeat", () => {
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

test("dead if the first heartbeat is unanswered when the second is due", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 0);
  assert.equal(heartbeat.due(T0 + 9999, 0), "wait");
  assert.equal(heartbeat.due(T0 + 10_000, 0), "dead");
});

test("any received message counts as an answer", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 0);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 0), "beat");
});

test("dead if sent bytes stay in the buffer, even if messages are received", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 40);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 40), "dead");
});

test("alive if the buffer has been sent", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 5000, 40);
  heartbeat.received();
  assert.equal(heartbeat.due(T0 + 10_000, 0), "beat");
});

test("a probe must be answered within 1.5 s", () => {
  const heartbeat = started();
  heartbeat.beat(T0 + 100, 0);
  heartbeat.expectAnswer(T0 + 100);
  assert.equal(heartbeat.due(T0 + 1599, 0), "wait");
  assert.equal(heartbeat.due(T0 + 1600, 0), "dead");
});

test("any message answers a probe", () => {
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

test("a hidden page with throttled timers stays connected by answering the daemon's heartbeats", () => {
  const heartbeat = started();
  for (let now = T0; now < T0 + 60_000; now += 5500) {
    heartbeat.received(); // heartbeat with ask
    heartbeat.beat(now, 0); // answered in the message handler
    heartbeat.received(); // and answered in turn
  }
  assert.notEqual(heartbeat.due(T0 + 60_000, 0), "dead");
});

test("delays double", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 50].map((attempt) => retryDelay(attempt, 0, 1)), [500, 1000, 2000, 3000, 3000, 3000]);
});

test("the maximum delay grows after a minute", () => {
  assert.equal(retryDelay(10, 59_999, 1), 3000);
  assert.equal(retryDelay(10, 60_000, 1), 10_000);
  assert.equal(retryDelay(1000, 1e9, 1), 10_000);
});

test("full jitter", () => {
  assert.equal(retryDelay(2, 0, 0), 0);
  assert.equal(retryDelay(2, 0, 0.5), 1000);
});

test("timeouts are those of the protocol", () => {
  assert.deepEqual([CONNECT_TIMEOUT, RETRY_LATER, SILENCE_TIMEOUT], [3000, 15_000, 30_000]);
});
