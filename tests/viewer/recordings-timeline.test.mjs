/** Recordings on the time axis: spans, gaps, and what plays after what. */

import assert from "node:assert/strict";
import test from "node:test";

import { Film, JOIN, endOf, gapsOf, spansOf } from "../../viewer/recordings/timeline.mjs";

let number = 0;
const file = (started, duration, more = {}) => ({
  number: ++number, name: `${number}.mp4`, started, duration, size: 1, kept: false, open: false, broken: false, clock_set: true, ...more,
});
const place = (found) => found && [found.recording.started, found.offset];

test("files without a real gap are one span", () => {
  const files = [file(100, 300), file(400.9, 299), file(1000, 10), file(1005, 3)];
  assert.deepEqual(spansOf(files, 0, 5000), [{ from: 100, to: 699.9 }, { from: 1000, to: 1010 }]);
  assert.deepEqual(gapsOf(spansOf(files, 0, 5000)), [{ from: 699.9, to: 1000 }]);
});

test("spans are cut at the borders", () => {
  assert.deepEqual(spansOf([file(0, 100), file(100, 100), file(300, 10)], 50, 150), [{ from: 50, to: 150 }]);
  assert.deepEqual(spansOf([file(0, 100)], 100, 200), []);
});

test("a time is found in its file", () => {
  const film = new Film([file(400, 300), file(100, 300)]);
  assert.deepEqual(place(film.at(100)), [100, 0]);
  assert.deepEqual(place(film.at(399.5)), [100, 299.5]);
  assert.deepEqual(place(film.at(400)), [400, 0]);
  assert.equal(film.at(99.9), null);
  assert.equal(film.at(700), null);
  assert.equal(film.start, 100);
  assert.equal(film.end, 700);
});

test("in a gap, the next recording is near; behind the last one, its end", () => {
  const film = new Film([file(100, 100), file(400, 100)]);
  assert.deepEqual(place(film.near(50)), [100, 0]);
  assert.deepEqual(place(film.near(250)), [400, 0]);
  assert.deepEqual(place(film.near(150)), [100, 50]);
  assert.deepEqual(place(film.near(900)), [400, 100]);
  assert.equal(new Film([]).near(5), null);
});

test("gaps have words on both sides", () => {
  const film = new Film([file(100, 100), file(400, 100)]);
  assert.deepEqual(film.gap(50), { from: null, to: 100 });
  assert.deepEqual(film.gap(250), { from: 200, to: 400 });
  assert.deepEqual(film.gap(600), { from: 500, to: null });
  assert.equal(film.gap(150), null);
});

test("a day of files plays from the first to the last", () => {
  const files = Array.from({ length: 288 }, (_, index) => file(index * 300 + (index % 2) * 0.3, 299.9));
  const film = new Film(files);
  let at = film.near(0);
  for (const expected of files) {
    assert.equal(at.recording.name, expected.name);
    assert.equal(at.offset, 0);
    at = film.after(at.recording);
  }
  assert.equal(at, null);
});

test("after a gap, the next file plays from its beginning", () => {
  const film = new Film([file(100, 100), file(400, 100)]);
  assert.deepEqual(place(film.after(film.recordings[0])), [400, 0]);
});

test("after a clip, the file that it overlaps goes on; clips are not played in between", () => {
  const [first, second, clip] = [file(0, 300), file(300, 300), file(180, 60, { kept: true })];
  const film = new Film([first, second, clip]);
  assert.deepEqual(place(film.after(clip)), [0, 240]);
  assert.deepEqual(place(film.after(first)), [300, 0]);
  assert.equal(film.after(second), null);
  assert.equal(film.at(200, clip).recording, clip);
  assert.equal(film.at(200, first).recording, first);
});

test("a clip that reaches beyond its file goes on in the next", () => {
  const [first, clip, second] = [file(0, 300), file(280, 60), file(300, 300)];
  const film = new Film([first, clip, second]);
  assert.deepEqual(place(film.after(clip)), [300, 40]);
  assert.deepEqual(place(film.after(second)), null);
});

test("broken and empty files are never played", () => {
  const film = new Film([file(0, 100, { broken: true }), file(50, 0), file(200, 10)]);
  assert.deepEqual(place(film.near(0)), [200, 0]);
  assert.equal(film.recordings.length, 1);
});

test("ten thousand files: each is found at once", () => {
  const files = Array.from({ length: 10_000 }, (_, index) => file(index * 60, 58));
  const film = new Film(files);
  const began = performance.now();
  for (let index = 0; index < 10_000; index++) {
    assert.equal(film.at(index * 60 + 30).recording.name, files[index].name);
    assert.deepEqual(film.gap(index * 60 + 59), { from: endOf(files[index]), to: files[index + 1]?.started ?? null });
  }
  assert.ok(performance.now() - began < 5000);
  assert.ok(JOIN < 2);
});
