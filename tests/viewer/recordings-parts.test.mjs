/** Parts of the page of recordings: the list as it grows, the marked part, visible rows, URLs, and what errors are called. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { ApiError, RecordingsApi } from "../../viewer/recordings/api.mjs";
import { FilmPlayer } from "../../viewer/recordings/film-player.mjs";
import { Format } from "../../viewer/recordings/format.mjs";
import { merged, withOpen } from "../../viewer/recordings/listing.mjs";
import { marked, partOf } from "../../viewer/recordings/selection.mjs";
import { noticeOf, storageText, zoneText } from "../../viewer/recordings/status.mjs";
import { visibleRows } from "../../viewer/recordings/windowed-list.mjs";

const words = JSON.parse(readFileSync(new URL("../../viewer/recordings/words.en.json", import.meta.url), "utf8"));
const file = (number, started, duration, more = {}) => ({ number, name: `${number}.mp4`, started, duration, size: 1, kept: false, open: false, broken: false, clock_set: true, ...more });
const listing = (recordings, now, more = {}) => ({ recordings, gaps: [], marks: [], change: true, now, ...more });

test("a recording that is being written has the duration that is on the disk", () => {
  const [closed, open] = withOpen(listing([file(1, 0, 10), file(2, 100, 0, { open: true })], 130)).recordings;
  assert.equal(closed.duration, 10);
  assert.equal(open.duration, 26);
  assert.equal(withOpen(listing([file(2, 100, 0, { open: true })], 101)).recordings[0].duration, 0);
});

test("what is new replaces what was known of the same time", () => {
  const old = withOpen(listing([file(1, 0, 100), file(2, 100, 100), file(3, 200, 50), file(4, 250, 0, { open: true })], 270, { marks: [50, 240], gaps: [{ from: 10, to: 20 }] }));
  const fresh = listing([file(2, 100, 100, { name: "2_kept.mp4", kept: true }), file(4, 250, 60)], 310, { marks: [305] });
  const all = merged(old, fresh, 150);
  assert.deepEqual(all.recordings.map(({ number, name, open }) => [number, name, open]), [[1, "1.mp4", false], [2, "2_kept.mp4", false], [4, "4.mp4", false]]);
  assert.deepEqual([all.marks, all.gaps, all.now], [[50, 305], [{ from: 10, to: 20 }], 310]);
});

test("a timelapse is a file of its own: no time, no place in the film, not lost while it is written", () => {
  const timelapse = file(3, 50, 40, { kind: "timelapse" });
  const open = { ...timelapse, duration: 0, open: true };
  const first = withOpen(listing([file(1, 0, 10), open], 9000));
  assert.equal(first.recordings[1].duration, 0);
  assert.deepEqual(merged(first, listing([file(4, 8000, 9)], 9001), 5400).recordings.map(({ number }) => number), [1, 3, 4]);
  const { api } = fakeApi();
  assert.equal(api.source(open), "http://pi/cam/recordings/3.mp4");
  assert.equal(api.download(open), "http://pi/cam/recordings/3.mp4?download");

  const videos = [1, 2].map(() => ({ addEventListener() {}, pause() {}, classList: { toggle() {} }, currentTime: 30, duration: 40, src: "" }));
  const player = new FilmPlayer(videos, new Proxy({}, { get: () => () => "" }));
  player.update([file(1, 60, 100), timelapse]);
  player.active.recording = timelapse;
  assert.equal(player.filmTime, null);
  const opened = [];
  player.open = (recording, offset) => opened.push([recording.number, offset]);
  for (const seconds of [-10, 60, -60]) player.move(seconds);
  assert.deepEqual(opened, [[3, 20], [3, 40], [3, 0]]);
  assert.deepEqual([player.film.start, player.film.end], [60, 160]);
});

test("a mark beyond the other one begins another part", () => {
  const none = { in: null, out: null };
  assert.deepEqual(partOf(marked(marked(none, "in", 10), "out", 20)), { from: 10, to: 20 });
  assert.deepEqual(partOf(marked(marked(none, "out", 20), "in", 10)), { from: 10, to: 20 });
  assert.deepEqual(marked({ in: 10, out: 20 }, "in", 25), { in: 25, out: null });
  assert.deepEqual(marked({ in: 10, out: 20 }, "out", 5), { in: null, out: 5 });
  assert.deepEqual(marked({ in: 10, out: null }, "out", 10), { in: null, out: 10 });
  assert.equal(partOf(marked(none, "in", 10)), null);
});

test("of ten thousand rows, those that can be seen are rendered, and a few more", () => {
  assert.deepEqual(visibleRows(0, 800, 72, 10_000), { first: 0, end: 18 });
  const { first, end } = visibleRows(-360_000, 800, 72, 10_000);
  assert.ok(first <= 5000 && end >= 5012 && end - first < 30);
  assert.deepEqual(visibleRows(-9e9, 800, 72, 3), { first: 3, end: 3 });
  assert.deepEqual(visibleRows(5000, 800, 72, 3), { first: 0, end: 3 });
});

/** An API whose answers are given, and the requests that it has made. */
function fakeApi(...answers) {
  const requests = [];
  const api = new RecordingsApi("http://pi/cam/", async (url, { method, headers, body }) => {
    requests.push([method, url, headers, body && JSON.parse(body)]);
    const [status, answer] = answers.shift() ?? [200, {}];
    return new Response(status === 204 ? null : typeof answer === "string" ? answer : JSON.stringify(answer), { status, headers: { date: "Sun, 01 Mar 2026 12:00:00 GMT" } });
  });
  return { api, requests };
}

test("URLs are relative to the base, which may be below a path", () => {
  const { api } = fakeApi();
  const open = file(7, 100, 50, { open: true });
  assert.equal(api.source(file(1, 0, 10)), "http://pi/cam/recordings/1.mp4");
  assert.equal(api.source(open), "http://pi/cam/recordings/export.mp4?from=100.000&to=150.000&inline");
  assert.equal(api.download(file(1, 0, 10)), "http://pi/cam/recordings/1.mp4?download");
  assert.equal(api.download(open), "http://pi/cam/recordings/export.mp4?from=100.000&to=150.000");
  assert.equal(api.picture(file(1, 0, 10)), "http://pi/cam/recordings/1.mp4/picture.jpg");
  assert.equal(api.picture(file(1, 0, 10), 4), "http://pi/cam/recordings/1.mp4/picture.jpg?at=4.0");
  assert.equal(api.playlist({ from: 1, to: 2 }), "http://pi/cam/recordings/film.m3u8?from=1.000&to=2.000");
});

test("the owner signs in for a cookie; the token is in no URL", async () => {
  const { api, requests } = fakeApi([200, { owner: true }], [200, { recordings: [] }]);
  await api.signIn("secret-token");
  assert.deepEqual(requests[0].slice(0, 2), ["POST", "http://pi/cam/api/owner/session"]);
  assert.deepEqual(requests[0][3], { token: "secret-token", path: "/cam/" });
  const { now, change } = await api.list();
  assert.deepEqual([now, change], [Date.parse("2026-03-01T12:00:00Z") / 1000, true]);
  assert.ok(requests.every(([, url]) => !url.includes("secret")));
});

test("a viewer's token is exchanged for access, which media elements can send", async () => {
  const { api, requests } = fakeApi([401, "no\n"], [200, { access: "a+b" }], [200, { access: "c" }]);
  await api.signIn("viewer-token");
  assert.equal(requests[1][1], "http://pi/cam/api/recordings/access");
  assert.equal(api.source(file(1, 0, 10)), "http://pi/cam/recordings/1.mp4?access=a%2Bb");
  await api.renew();
  assert.equal(api.access, "c");
});

test("errors have the text of the answer; the page knows which notice they are", async () => {
  const { api } = fakeApi([409, { error: "The recorder is off; set record.mode." }], [429, "wait\n"], [401, "no"], [401, "no"]);
  const error = await api.list().catch((caught) => caught);
  assert.deepEqual([error.status, error.message], [409, "The recorder is off; set record.mode."]);
  assert.equal(noticeOf(error, false), "off");
  assert.equal(noticeOf(await api.signIn("x").catch((caught) => caught), true), "locked");
  assert.equal(noticeOf(await api.signIn("x").catch((caught) => caught), true), "wrong");
  assert.equal(noticeOf(new ApiError(401, ""), false), "denied");
  assert.equal(noticeOf(new ApiError(0, ""), false), "unreachable");
  assert.equal(noticeOf(new ApiError(500, ""), false), "error");
  assert.equal(noticeOf(new TypeError("bug"), false), "error");
});

test("space and retention in words", () => {
  const format = new Format("en-GB");
  const space = { bytes: 9.3e9, files: 100, free: 21e9, keep_days: 7, keep_bytes: 0, keep_free: 1e9 };
  assert.equal(storageText(space, words, format), "9.3 GB used, 21 GB free · kept for 7 days · 1 GB stay free");
  assert.match(storageText({ ...space, keep_days: 0, keep_free: 0 }, words, format), /kept until you delete them$/);
  assert.match(storageText({ ...space, keep_bytes: 5e10 }, words, format), /at most 50 GB/);
});

test("another time zone of the machine is said", () => {
  const format = new Format("en-GB");
  const now = Date.parse("2026-03-01T12:00:00Z") / 1000;
  const own = -new Date(now * 1000).getTimezoneOffset() * 60;
  assert.equal(zoneText({ now, utc_offset: own }, words, format), "");
  assert.equal(zoneText({ now }, words, format), "");
  assert.match(zoneText({ now, utc_offset: own + 7200 }, words, format), new RegExp(format.clock(now + 7200, "minute")));
});
