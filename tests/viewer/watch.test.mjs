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

test("no findings while frames arrive", () => {
  const watch = playing();
  assert.deepEqual(watch.findings(3999), []);
  assert.equal(watch.freezes, 0);
});

test("findings after 1, 2 and 3 s without a frame are reported once", () => {
  const watch = playing();
  assert.deepEqual(watch.findings(4000), ["frame:weak"]);
  assert.deepEqual(watch.findings(4200), []);
  assert.deepEqual(watch.findings(5000), ["frame:silent"]);
  assert.deepEqual(watch.findings(5900), []);
  assert.deepEqual(watch.findings(6000), ["frame:gone"]);
  assert.deepEqual(watch.findings(6200), []);
});

test("frames missing while packets arrive", () => {
  const watch = playing();
  watch.received(100);
  watch.received(130);
  assert.deepEqual(watch.findings(5000), ["frame:weak", "frame:flat"]);
});

test("packets that have stopped do not count as arriving", () => {
  const watch = playing();
  watch.received(100);
  watch.received(100);
  assert.ok(watch.findings(5000).includes("frame:silent"));
});

test("gone is repeated with doubled waits, up to 24 s", () => {
  const watch = playing(0);
  const said = [];
  for (let now = 0; now < 130_000; now += 200) if (watch.findings(now).includes("frame:gone")) said.push(now / 1000);
  assert.deepEqual(said, [3, 6, 12, 24, 48, 72, 96, 120]);
});

test("frame resets all findings", () => {
  const watch = playing();
  watch.findings(7000);
  watch.frame(7100);
  assert.deepEqual(watch.findings(8000), []);
  assert.deepEqual(watch.findings(8100), ["frame:weak"]);
});

test("no findings while stopped, and start resets them", () => {
  const watch = playing();
  watch.stop();
  assert.equal(watch.isStopped, true);
  assert.deepEqual(watch.findings(60_000), []);
  watch.start(60_000);
  assert.deepEqual(watch.findings(60_900), []);
  assert.deepEqual(watch.findings(61_000), ["frame:weak"]);
});

test("stopped time is no freeze", () => {
  const watch = playing();
  watch.stop();
  watch.start(60_000);
  watch.frame(60_500);
  assert.equal(watch.freezes, 0);
});

test("reset lets findings be reported again", () => {
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

test("low frame rate is no freeze", () => {
  const watch = new FrameWatch();
  watch.start(0);
  for (let now = 0; now < 20_000; now += 200) watch.frame(now);
  const settled = watch.freezes;
  for (let now = 20_000; now < 40_000; now += 200) watch.frame(now);
  assert.equal(watch.freezes, settled);
});

test("sleep is a jump of the wall clock in a visible page", () => {
  assert.equal(slept(0, 5000, false), false);
  assert.equal(slept(0, 5001, false), true);
  assert.equal(slept(3_600_000, 0, false), true);
  assert.equal(slept(0, 60_000, true), false);
});
