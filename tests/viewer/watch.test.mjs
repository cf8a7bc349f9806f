/** Detection of missing frames: findings after 1, 2 and 3 s, none while stopped. */

import assert from "node:assert/strict";
import test from "node:test";

import { FrameWatch, slept } from "../../viewer/watch.mjs";

const FRAME = 1000 / 30;

function playing(until = 3000) {
  const watch = new FrameWatch();
  watch.start(0);
  for (let now = 0; now <= until; now += FRAME) watch.frame(now);
  watch.frame(until);
  return watch;
}

test("no findings while frames are shown", () => {
  const watch = playing();
  assert.deepEqual(watch.findings(3999), []);
  assert.equal(watch.freezes, 0);
});

test("missing frames are reported once after 1, 2 and 3 s", () => {
  const watch = playing();
  assert.deepEqual(watch.findings(4000), ["frame:weak"]);
  assert.deepEqual(watch.findings(4200), []);
  assert.deepEqual(watch.findings(5000), ["frame:silent"]);
  assert.deepEqual(watch.findings(5900), []);
  assert.deepEqual(watch.findings(6000), ["frame:gone"]);
  assert.deepEqual(watch.findings(6200), []);
});

test("packets without frames mean a broken picture, not a broken network", () => {
  const watch = playing();
  watch.received(100);
  watch.received(130);
  assert.deepEqual(watch.findings(5000), ["frame:weak", "frame:flat"]);
});

test("packets that no longer arrive do not count", () => {
  const watch = playing();
  watch.received(100);
  watch.received(100);
  assert.ok(watch.findings(5000).includes("frame:silent"));
});

test("gone is reported again after twice the time, finally every 24 s", () => {
  const watch = playing(0);
  const reported = [];
  for (let now = 0; now < 130_000; now += 200) if (watch.findings(now).includes("frame:gone")) reported.push(now / 1000);
  assert.deepEqual(reported, [3, 6, 12, 24, 48, 72, 96, 120]);
});

test("a frame resets the findings", () => {
  const watch = playing();
  watch.findings(7000);
  watch.frame(7100);
  assert.deepEqual(watch.findings(8000), []);
  assert.deepEqual(watch.findings(8100), ["frame:weak"]);
});

test("while stopped no frames are missed, and times restart afterwards", () => {
  const watch = playing();
  watch.stop();
  assert.equal(watch.isStopped, true);
  assert.deepEqual(watch.findings(60_000), []);
  watch.start(60_000);
  assert.deepEqual(watch.findings(60_900), []);
  assert.deepEqual(watch.findings(61_000), ["frame:weak"]);
});

test("the time while stopped is no freeze", () => {
  const watch = playing();
  watch.stop();
  watch.start(60_000);
  watch.frame(60_500);
  assert.equal(watch.freezes, 0);
});

test("after reset findings are reported again", () => {
  const watch = playing();
  watch.findings(6000);
  watch.reset();
  assert.deepEqual(watch.findings(6200), ["frame:weak", "frame:silent", "frame:gone"]);
});

test("freezes are counted as in webrtc-stats", () => {
  const watch = playing();
  watch.frame(3000 + FRAME + 140); // late, but not 150 ms late
  assert.equal(watch.freezes, 0);
  watch.frame(3600);
  assert.equal(watch.freezes, 1);
});

test("a low frame rate is no freeze", () => {
  const watch = new FrameWatch();
  watch.start(0);
  for (let now = 0; now < 20_000; now += 200) watch.frame(now);
  const settled = watch.freezes;
  for (let now = 20_000; now < 40_000; now += 200) watch.frame(now);
  assert.equal(watch.freezes, settled);
});

test("sleep is a gap in either direction of the wall clock; gaps of hidden pages do not count", () => {
  assert.equal(slept(0, 5000, false), false);
  assert.equal(slept(0, 5001, false), true);
  assert.equal(slept(3_600_000, 0, false), true);
  assert.equal(slept(0, 60_000, true), false);
});
