/** The watch over the frames: 1 s weak, 2 s keyframe or probe, 3 s gone; it rests while nothing can be expected. */

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

test("while frames come there is nothing to find", () => {
  const watch = playing();
  assert.deepEqual(watch.findings(3999), []);
  assert.equal(watch.freezes, 0);
});

test("no frame for 1, 2 and 3 s, each said once", () => {
  const watch = playing();
  assert.deepEqual(watch.findings(4000), ["frame:weak"]);
  assert.deepEqual(watch.findings(4200), []);
  assert.deepEqual(watch.findings(5000), ["frame:silent"]);
  assert.deepEqual(watch.findings(5900), []);
  assert.deepEqual(watch.findings(6000), ["frame:gone"]);
  assert.deepEqual(watch.findings(6200), []);
});

test("packets arrive but no frame: the picture is broken, not the network", () => {
  const watch = playing();
  watch.received(100);
  watch.received(130);
  assert.deepEqual(watch.findings(5000), ["frame:weak", "frame:flat"]);
});

test("packets that stopped arriving are no packets", () => {
  const watch = playing();
  watch.received(100);
  watch.received(100);
  assert.ok(watch.findings(5000).includes("frame:silent"));
});

test("gone is said again after twice the wait, at last every 24 s", () => {
  const watch = playing(0);
  const said = [];
  for (let now = 0; now < 130_000; now += 200) if (watch.findings(now).includes("frame:gone")) said.push(now / 1000);
  assert.deepEqual(said, [3, 6, 12, 24, 48, 72, 96, 120]);
});

test("a frame makes all good", () => {
  const watch = playing();
  watch.findings(7000);
  watch.frame(7100);
  assert.deepEqual(watch.findings(8000), []);
  assert.deepEqual(watch.findings(8100), ["frame:weak"]);
});

test("at rest nothing is missed, and afterwards counting begins anew", () => {
  const watch = playing();
  watch.stop();
  assert.equal(watch.isStopped, true);
  assert.deepEqual(watch.findings(60_000), []);
  watch.start(60_000);
  assert.deepEqual(watch.findings(60_900), []);
  assert.deepEqual(watch.findings(61_000), ["frame:weak"]);
});

test("a rest is no freeze", () => {
  const watch = playing();
  watch.stop();
  watch.start(60_000);
  watch.frame(60_500);
  assert.equal(watch.freezes, 0);
});

test("when the daemon can be told again, it is told again", () => {
  const watch = playing();
  watch.findings(6000);
  watch.reset();
  assert.deepEqual(watch.findings(6200), ["frame:weak", "frame:silent", "frame:gone"]);
});

test("freezes are counted by the rule of webrtc-stats", () => {
  const watch = playing();
  watch.frame(3000 + FRAME + 140); // late, but not 150 ms late
  assert.equal(watch.freezes, 0);
  watch.frame(3600);
  assert.equal(watch.freezes, 1);
});

test("a slow camera is no freezing one", () => {
  const watch = new FrameWatch();
  watch.start(0);
  for (let now = 0; now < 20_000; now += 200) watch.frame(now);
  const settled = watch.freezes;
  for (let now = 20_000; now < 40_000; now += 200) watch.frame(now);
  assert.equal(watch.freezes, settled);
});

test("sleep shows as a gap, in either direction of the wall clock; hidden pages sleep without it", () => {
  assert.equal(slept(0, 5000, false), false);
  assert.equal(slept(0, 5001, false), true);
  assert.equal(slept(3_600_000, 0, false), true);
  assert.equal(slept(0, 60_000, true), false);
});
