/** Rules for playback over the web, and what is read from fragments. */

import assert from "node:assert/strict";
import test from "node:test";

import {
  Arrivals, BEGIN_AHEAD, CALM, KEPT, MAX_AHEAD, MAX_EXTRA, MAX_FIRST_EXCESS, Playback, RESERVE, SKIP_PAUSE, STALL_STEP, WAIT, codecNames,
  keyframeTime, playbackStats,
} from "../../viewer/playback.mjs";

const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, not ${expected}`);

test("playback begins at the first frame, wherever the media's time is", () => {
  const playback = new Playback(0);
  assert.equal(playback.follow(0, { start: 3600, end: 3600.033 }, 0), 3600);
});

test("what is late before anything was shown is skipped", () => {
  const playback = new Playback(0);
  const range = { start: 3600, end: 3600.5 };
  near(playback.follow(0, range, 0), 3600.5 - BEGIN_AHEAD);
  near(playback.follow(3600, range, 0), 3600.5 - BEGIN_AHEAD);
  assert.equal(playback.follow(3600.5 - BEGIN_AHEAD, range, 0), null);
  assert.equal(playback.follow(3600, range, 0), null, "later it is caught up");
  const other = new Playback(0);
  assert.equal(other.follow(0, { start: 0, end: BEGIN_AHEAD + MAX_FIRST_EXCESS - 0.01 }, 0), null);
});

test("after a skip of the daemon, playback continues at the newest range", () => {
  const playback = new Playback(0);
  assert.equal(playback.follow(10, { start: 12, end: 12.033 }, 0), 12);
  near(playback.follow(10, { start: 12, end: 13 }, 0), 13 - BEGIN_AHEAD);
});

test("a wrong delay is corrected slowly, and the pitch is preserved when it would be heard", () => {
  const playback = new Playback(0);
  let now = 0;
  const follow = (excess) => playback.follow(now / 1000 - RESERVE - excess, { start: -10, end: now / 1000 }, now);
  follow(0);
  for (const [excess, rate] of [
    [0.3, 1.1], [0.21, 1.1], [0.15, 1.05], [0.05, 1.03], [0.02, 1.03], [0.005, 1], [0.02, 1], [0.04, 1.03], [0.005, 1],
    [-0.02, 1], [-0.05, 0.97], [-0.01, 0.97], [-0.12, 0.95], [0.001, 1],
  ]) {
    now += 10_000; // what came before does not count
    follow(excess);
    now += 1;
    assert.equal(follow(excess), null);
    assert.equal(playback.rate, rate, `${excess} s`);
    assert.equal(playback.preservesPitch, rate === 1.1);
  }
});

test("arrivals: the latest of the last seconds counts, but not what is far too late", () => {
  const arrivals = new Arrivals();
  let now = 0, end = 0;
  const arrive = (after) => {
    now += after;
    arrivals.add((end = now / 1000), now);
  };
  for (let i = 0; i < 10; i += 1) arrive(33);
  near(arrivals.jitter, 0.033);
  near(arrivals.reserve(end - 0.2, now), 0.2 - 0.033);
  near(arrivals.reserve(end - 0.2, now + 20), 0.22 - 0.033);
  arrive(150);
  near(arrivals.jitter, 0.15);
  for (let i = 0; i < 60; i += 1) arrive(33);
  near(arrivals.jitter, 0.15);
  for (let i = 0; i < 60; i += 1) arrive(33);
  near(arrivals.jitter, 0.033);
  arrive(450);
  near(arrivals.jitter, Arrivals.MAX_JITTER);
  for (let i = 0; i < 120; i += 1) arrive(33);
  arrive(1000 * Arrivals.MAX_LATE + 1);
  near(arrivals.jitter, 0.033);
  arrivals.clear();
  arrivals.add(1, 0);
  assert.equal(arrivals.jitter, 0);
});

test("a large delay is skipped, but not again and again on a slow device", () => {
  const playback = new Playback(0);
  playback.follow(99.95, { start: 90, end: 100 }, 0);
  const times = [];
  for (let now = 1000; now < 40_000; now += 100) {
    const seek = playback.follow(100 - MAX_AHEAD - 0.01, { start: 90, end: 100 }, now);
    if (seek === null) continue;
    near(seek, 100 - BEGIN_AHEAD);
    times.push(now);
  }
  const steps = times.slice(1).map((time, index) => time - times[index]);
  assert.deepEqual(steps.slice(0, 6), [SKIP_PAUSE, 2 * SKIP_PAUSE, 4 * SKIP_PAUSE, 8 * SKIP_PAUSE, 8000, 8000]);
  assert.notEqual(playback.follow(99, { start: 90, end: 100 }, 90_000), null);
  assert.equal(playback.follow(99, { start: 90, end: 100 }, 90_000 + SKIP_PAUSE - 1), null);
  assert.notEqual(playback.follow(99, { start: 90, end: 100 }, 90_000 + SKIP_PAUSE), null);
});

test("playback that waits although there is enough goes on by a seek", () => {
  const playback = new Playback(0);
  const range = { start: 90, end: 100 };
  playback.follow(99.9, range, 0);
  playback.stalled(0, 0);
  assert.equal(playback.follow(100 - BEGIN_AHEAD + 0.01, range, 0), null);
  assert.equal(playback.follow(100 - BEGIN_AHEAD - 0.01, range, 1), null, "it may go on by itself");
  near(playback.follow(100 - BEGIN_AHEAD - 0.01, range, 1 + WAIT), 100 - BEGIN_AHEAD);
  assert.equal(playback.follow(100 - BEGIN_AHEAD - 0.01, range, 2 + WAIT), null, "once");
  playback.stalled(0, 10_000);
  playback.follow(99.5, range, 10_000);
  playback.played();
  assert.equal(playback.follow(99.5, range, 10_000 + WAIT), null);
});

test("each stall with data in the buffer adds to the reserve, up to a limit; calm takes it away, more and more slowly", () => {
  const playback = new Playback(0);
  playback.stalled(0.1, 0);
  assert.equal(playback.extra, 0, "nothing was shown yet");
  let now = 0;
  const follow = (after) => playback.follow(99.87, { start: 90, end: 100 }, (now += after));
  const stall = (ahead) => {
    playback.stalled(ahead, now);
    playback.stalled(ahead, now);
    playback.played();
  };
  follow(0);
  stall(0.02);
  assert.equal(playback.extra, 0, "nothing was ahead");
  stall(0.1);
  near(playback.extra, STALL_STEP);
  follow(2 * CALM - 1);
  near(playback.extra, STALL_STEP);
  follow(1);
  near(playback.extra, STALL_STEP - 0.01);
  stall(0.1);
  follow(2 * CALM);
  near(playback.extra, 2 * STALL_STEP - 0.01);
  for (let i = 0; i < 40; i += 1) stall(0.1);
  near(playback.extra, MAX_EXTRA);
  for (let i = 0; i < 100; i += 1) follow(4 * CALM);
  assert.equal(playback.extra, 0);
});

test("a new source begins anew", () => {
  const playback = new Playback(0);
  playback.follow(99.9, { start: 90, end: 100 }, 0);
  playback.stalled(0.1, 0);
  playback.restart();
  assert.deepEqual([playback.hasBegun, playback.stalledAt, playback.keyframes, playback.arrivals.parts], [false, null, [], []]);
  near(playback.extra, STALL_STEP);
  assert.equal(playback.follow(99.9, { start: 0, end: 0.04 }, 0), null);
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
