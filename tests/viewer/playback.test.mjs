/** Rules for playback over the web, and what is read from fragments. */

import assert from "node:assert/strict";
import test from "node:test";

import {
  CALM, KEPT, MAX_AHEAD, MAX_FIRST_EXCESS, MAX_STALL, MAX_TARGET, MIN_TARGET, Playback, SKIP_PAUSE, codecNames, keyframeTime, playbackStats,
} from "../../viewer/playback.mjs";

const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, not ${expected}`);

test("playback begins at the first frame, wherever the media's time is", () => {
  const playback = new Playback(0);
  assert.equal(playback.follow(0, { start: 3600, end: 3600.033 }, 0), 3600);
});

test("what is late before anything was shown is skipped", () => {
  const playback = new Playback(0);
  const range = { start: 3600, end: 3600.5 };
  near(playback.follow(0, range, 0), 3600.5 - MIN_TARGET);
  near(playback.follow(3600, range, 0), 3600.5 - MIN_TARGET);
  assert.equal(playback.follow(3600.45, range, 0), null);
  assert.equal(playback.follow(3600, range, 0), null, "later it is caught up");
  const other = new Playback(0);
  assert.equal(other.follow(0, { start: 0, end: MIN_TARGET + MAX_FIRST_EXCESS - 0.01 }, 0), null);
});

test("after a skip of the daemon, playback continues at the newest range", () => {
  const playback = new Playback(0);
  assert.equal(playback.follow(10, { start: 12, end: 12.033 }, 0), 12);
  near(playback.follow(10, { start: 12, end: 13 }, 0), 13 - MIN_TARGET);
});

test("a small delay is caught up slowly", () => {
  const playback = new Playback(0);
  const follow = (ahead) => playback.follow(100 - ahead, { start: 90, end: 100 }, 0);
  for (const [ahead, rate] of [[0.05, 1], [0.5, 1.1], [0.3, 1.1], [0.14, 1.1], [0.06, 1.1], [0.05, 1], [0.07, 1], [0.1, 1.05], [0.06, 1.05], [0.04, 1], [0.01, 1]]) {
    assert.equal(follow(ahead), null);
    assert.equal(playback.rate, rate, `${ahead} s`);
  }
});

test("a large delay is skipped, but not again and again on a slow device", () => {
  const playback = new Playback(0);
  playback.follow(99.95, { start: 90, end: 100 }, 0);
  const times = [];
  for (let now = 1000; now < 40_000; now += 100) {
    const seek = playback.follow(100 - MAX_AHEAD - 0.01, { start: 90, end: 100 }, now);
    if (seek === null) continue;
    near(seek, 100 - playback.target);
    times.push(now);
  }
  const steps = times.slice(1).map((time, index) => time - times[index]);
  assert.deepEqual(steps.slice(0, 6), [SKIP_PAUSE, 2 * SKIP_PAUSE, 4 * SKIP_PAUSE, 8 * SKIP_PAUSE, 8000, 8000]);
  assert.notEqual(playback.follow(99, { start: 90, end: 100 }, 90_000), null);
  assert.equal(playback.follow(99, { start: 90, end: 100 }, 90_000 + SKIP_PAUSE - 1), null);
  assert.notEqual(playback.follow(99, { start: 90, end: 100 }, 90_000 + SKIP_PAUSE), null);
});

test("each short stall raises the target, up to a limit; calm lowers it slowly", () => {
  const playback = new Playback(0);
  let now = 0;
  const follow = (after) => playback.follow(100, { start: 90, end: 100 }, (now += after));
  const stall = (length) => {
    playback.stalled(now);
    playback.stalled(now + 1);
    follow(length);
    follow(0);
  };
  stall(MAX_STALL);
  near(playback.target, MIN_TARGET + 0.05);
  stall(MAX_STALL + 1);
  near(playback.target, MIN_TARGET + 0.05);
  playback.stalled(now);
  playback.follow(10, { start: 90, end: 100 }, (now += 100));
  near(playback.target, MIN_TARGET + 0.05);
  for (let i = 0; i < 40; i += 1) stall(100);
  near(playback.target, MAX_TARGET);
  follow(CALM - 1);
  near(playback.target, MAX_TARGET);
  follow(1);
  near(playback.target, MAX_TARGET - 0.02);
  for (let i = 0; i < 100; i += 1) follow(CALM);
  near(playback.target, MIN_TARGET);
});

test("the buffer is removed up to a keyframe that is played", () => {
  const playback = new Playback(0);
  playback.keyframes = [0, 4, 8, 12];
  assert.equal(playback.removable(8 + KEPT - 0.1, 0), null);
  assert.equal(playback.removable(8 + KEPT, 0), 8);
  assert.deepEqual(playback.keyframes, [8, 12]);
  assert.equal(playback.removable(12 + KEPT, 8), null, "little");
  playback.keyframes = [8];
  assert.equal(playback.removable(1000, 8), null, "without a later keyframe everything is needed");
});

/** Returns a fragment as `broadcaster/media/mp4.py` lays it out. */
function fragment({ name = 0x6d6f6f66, track = 1, time = 0n, flags = 0x02000000, size = 200 } = {}) {
  const view = new DataView(new ArrayBuffer(size));
  for (const [at, value] of [[4, name], [44, track], [96, flags]]) if (at < size) view.setUint32(at, value);
  if (size > 68) view.setBigUint64(60, time);
  return view.buffer;
}

test("only video fragments that begin with a keyframe have its time", () => {
  assert.equal(keyframeTime(fragment({ time: 90_000n * 3600n })), 3600);
  assert.equal(keyframeTime(fragment({ flags: 0x01010000 })), null);
  assert.equal(keyframeTime(fragment({ track: 2 })), null);
  assert.equal(keyframeTime(fragment({ name: 0x66747970 })), null, "an init segment");
  assert.equal(keyframeTime(fragment({ size: 60 })), null);
});

test("codecs have the names of WebRTC", () => {
  assert.equal(codecNames('video/mp4; codecs="avc1.42c01f,opus"'), "H264 · opus");
  assert.equal(codecNames('video/mp4; codecs="avc1.42c01f, Opus"'), "H264 · opus");
  assert.equal(codecNames('video/mp4; codecs="avc1.640028"'), "H264");
  assert.equal(codecNames(""), "");
});

test("statistics are differences between snapshots", () => {
  const before = { at: 1000, bytes: 1000, frames: 10, width: 0, height: 0, keyframes: 0, mime: "", ahead: 0 };
  const after = { at: 2000, bytes: 251_000, frames: 40, width: 1280, height: 720, keyframes: 1, mime: 'video/mp4; codecs="avc1.42c01f"', ahead: 0.04 };
  const { fps, bitrate, buffer, route, codec, width, height, keyframes, lost, plis } = playbackStats(before, after);
  assert.deepEqual([fps, bitrate, buffer, route, codec], [30, 2_000_000, 40, "web", "H264"]);
  assert.deepEqual([width, height, keyframes, lost, plis], [1280, 720, 1, null, null]);
  assert.equal(playbackStats(after, { ...after, at: 3000, frames: 5 }).fps, 0, "a new source counts from zero");
});
