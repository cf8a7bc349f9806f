/** The feed of a media source, with a fake one: order, changes, what the browser wants. */

import assert from "node:assert/strict";
import test from "node:test";

import { MAX_WAITING, SourceFeed } from "../../viewer/source-feed.mjs";

const MIME = 'video/mp4; codecs="avc1.42c01f,opus"';
const init = (mime = MIME, base = 1000) => ({ type: "init", mime, base, quality: "full" });
const bytes = (...values) => new Uint8Array(values).buffer;

class FakeBuffer {
  updating = false;
  timestampOffset = 0;
  calls = [];
  ranges = [];
  buffered = { start: (index) => this.ranges[index][0], end: (index) => this.ranges[index][1] };

  appendBuffer(data) {
    this.calls.push([...new Uint8Array(data)]);
    this.updating = true;
  }

  changeType(mime) { this.calls.push(mime); }

  remove(start, end) {
    this.calls.push({ start, end });
    this.updating = true;
  }

  /** Ends the update, after which these ranges are buffered. */
  done(...ranges) {
    this.updating = false;
    this.ranges = ranges;
    this.buffered.length = ranges.length;
    this.onupdateend();
  }
}

class FakeSource extends EventTarget {
  static supported = (mime) => !mime.includes("Opus");
  static isTypeSupported = (mime) => FakeSource.supported(mime);
  readyState = "closed";

  open() {
    this.readyState = "open";
    this.onsourceopen();
  }

  addSourceBuffer(mime) {
    this.mime = mime;
    return (this.buffer = new FakeBuffer());
  }
}

/** Returns a feed, and what it has done. */
function makeFeed(context, { name = "MediaSource", supported = (mime) => !mime.includes("Opus") } = {}) {
  context.after(() => delete globalThis[name]);
  globalThis[name] = FakeSource;
  FakeSource.supported = supported;
  const made = { sources: [], failures: [], wanted: 0 };
  made.video = Object.assign(new EventTarget(), { currentTime: 0, playbackRate: 1, buffered: { length: 0 } });
  made.feed = new SourceFeed(
    { video: made.video, showSource: (source) => made.sources.push(source) },
    { showing() {}, wanted: () => (made.wanted += 1), failed: (why, isFinal) => made.failures.push([why, isFinal]) },
  );
  return made;
}

test("appends in order, all that waits at once", (context) => {
  const { feed, sources } = makeFeed(context);
  for (const item of [init(), bytes(1, 2), bytes(3)]) feed.push(item);
  const [source] = sources;
  source.open();
  assert.equal(source.mime, MIME);
  assert.deepEqual(source.buffer.calls, [[1, 2, 3]]);
  feed.push(bytes(4));
  feed.push(bytes(5));
  assert.equal(source.buffer.calls.length, 1, "it is still busy");
  source.buffer.done();
  assert.deepEqual(source.buffer.calls.at(-1), [4, 5]);
});

test("spelling of Opus that the browser supports", (context) => {
  for (const spelling of ["Opus", "opus"]) {
    const { feed, sources } = makeFeed(context, { supported: (mime) => mime.endsWith(`,${spelling}"`) });
    feed.push(init());
    sources[0].open();
    assert.equal(sources[0].mime, MIME.replace("opus", spelling));
  }
});

test("unplayable type is final", (context) => {
  const { feed, failures, sources } = makeFeed(context, { supported: () => false });
  feed.push(init());
  assert.deepEqual(failures, [[`cannot play ${MIME}`, true]]);
  assert.equal(sources.length, 0);
});

test("the same tracks again: type changes, and times continue", (context) => {
  const { feed, sources } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  for (const item of [bytes(1), init(), bytes(2), init(MIME.replace("1f", "28"), 5000), bytes(3)]) feed.push(item);
  const { buffer } = sources[0];
  buffer.done();
  assert.deepEqual([buffer.calls, buffer.timestampOffset], [[[1], [2]], 0]);
  buffer.done();
  assert.deepEqual(buffer.calls, [[1], [2], MIME.replace("1f", "28"), [3]]);
  assert.equal(buffer.timestampOffset, 4);
  assert.deepEqual(feed.clock, { rtp: 0, at: 1000 });
});

test("sound that disappears takes a new source", (context) => {
  const { feed, sources } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  for (const item of [bytes(1), init('video/mp4; codecs="avc1.42c01f"', 3000), bytes(2)]) feed.push(item);
  sources[0].buffer.done();
  assert.equal(sources.length, 2);
  sources[0].buffer.onupdateend();
  sources[1].open();
  assert.deepEqual(sources[1].buffer.calls, [[2]]);
  assert.deepEqual(feed.clock, { rtp: 0, at: 3000 });
});

test("playback follows the buffer", (context) => {
  const { feed, sources, video } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  feed.push(bytes(1));
  sources[0].buffer.done([3600, 3600.04]);
  assert.equal(video.currentTime, 3600);
  for (const end of [3600.04, 3600.5]) {
    feed.push(bytes(2));
    sources[0].buffer.done([3600, end]);
  }
  assert.deepEqual([video.playbackRate, video.preservesPitch], [1.05, false]);
  feed.close();
  assert.deepEqual([video.playbackRate, video.preservesPitch], [1, true]);
});

test("stalls of playback are noticed, but not those by a seek", (context) => {
  const { feed, sources, video } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  for (let i = 0; i < 2; i += 1) {
    feed.push(bytes(1));
    sources[0].buffer.done([0, 0.1]);
  }
  video.seeking = true;
  video.dispatchEvent(new Event("waiting"));
  assert.equal(feed.playback.stalledAt, null);
  video.seeking = false;
  video.dispatchEvent(new Event("waiting"));
  assert.notEqual(feed.playback.stalledAt, null);
  video.dispatchEvent(new Event("playing"));
  assert.equal(feed.playback.stalledAt, null);
});

test("old frames are removed when nothing waits", (context) => {
  const { feed, sources, video } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  const { buffer } = sources[0];
  feed.push(bytes(1));
  feed.playback.keyframes = [0, 12];
  video.currentTime = 20;
  feed.push(bytes(2));
  buffer.done([0, 20.05]);
  assert.deepEqual(buffer.calls, [[1], [2]]);
  buffer.done([0, 20.05]);
  assert.deepEqual(buffer.calls.at(-1), { start: 0, end: 12 });
});

test("nothing is removed while the buffer is busy again", (context) => {
  const { feed, sources, video } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  const { buffer } = sources[0];
  feed.push(bytes(1));
  feed.playback.keyframes = [0, 12];
  video.currentTime = 20;
  buffer.updating = false;
  feed.push(bytes(2));
  Object.assign(buffer, { ranges: [[0, 20.05]] }).buffered.length = 1;
  buffer.onupdateend();
  assert.deepEqual(buffer.calls, [[1], [2]]);
  buffer.done([0, 20.05]);
  assert.deepEqual(buffer.calls.at(-1), { start: 0, end: 12 });
});

test("a managed source that wants no data gets none, and then what has arrived", (context) => {
  const made = makeFeed(context, { name: "ManagedMediaSource" });
  const { feed, sources: [], ...rest } = made;
  feed.push(init());
  const [source] = made.sources;
  source.open();
  source.dispatchEvent(new Event("endstreaming"));
  assert.equal(feed.isWanted, false);
  feed.push(bytes(1));
  assert.deepEqual([source.buffer.calls, rest.wanted], [[], 0]);
  source.dispatchEvent(new Event("startstreaming"));
  assert.deepEqual([source.buffer.calls, made.wanted], [[[1]], 1]);
});

test("a source that does not open takes a limited number of fragments", (context) => {
  const made = makeFeed(context);
  made.feed.push(init());
  for (let count = 0; count < MAX_WAITING; count += 1) {
    assert.equal(made.feed.isWanted, true);
    made.feed.push(bytes(count));
  }
  assert.deepEqual([made.feed.isWanted, made.wanted], [false, 0]);
  made.sources[0].open();
  assert.deepEqual([made.feed.isWanted, made.wanted, made.sources[0].buffer.calls[0].length], [true, 1, MAX_WAITING]);
});

test("a full buffer and an ended source are failures", (context) => {
  const { feed, sources, failures } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  const { buffer } = sources[0];
  feed.push(bytes(1));
  sources[0].readyState = "ended";
  buffer.done([0, 1]);
  sources[0].readyState = "open";
  buffer.appendBuffer = () => { throw new Error("QuotaExceededError"); };
  feed.push(bytes(2));
  assert.deepEqual(failures, [["the media source has ended", false], ["Error: QuotaExceededError", false]]);
});

test("after close, nothing is appended", (context) => {
  const { feed, sources } = makeFeed(context);
  feed.push(init());
  sources[0].open();
  feed.push(bytes(1));
  feed.close();
  feed.push(bytes(2));
  sources[0].buffer.done([0, 1]);
  assert.deepEqual(sources[0].buffer.calls, [[1]]);
});
