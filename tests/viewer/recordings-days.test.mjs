/** Days in the viewer's time zone, also where clocks change; texts of times, durations and sizes. */

process.env.TZ = "Europe/Berlin";

import assert from "node:assert/strict";
import test from "node:test";

import { addDays, addMonths, dayOf, recordedDays, spanOfDay, weeksOf } from "../../viewer/recordings/days.mjs";
import { Format } from "../../viewer/recordings/format.mjs";

const at = (text) => new Date(text).getTime() / 1000;

test("a day has 24 hours, except when clocks change", () => {
  const hours = (day) => (spanOfDay(day).to - spanOfDay(day).from) / 3600;
  assert.equal(hours("2026-11-30"), 24);
  assert.equal(hours("2026-03-29"), 23);
  assert.equal(hours("2026-10-25"), 25);
  assert.equal(dayOf(at("2026-03-01T23:30:00Z")), "2026-03-02");
});

test("days and months follow each other", () => {
  assert.equal(addDays("2026-02-28", 1), "2026-03-01");
  assert.equal(addDays("2026-03-29", 1), "2026-03-30");
  assert.equal(addDays("2026-10-26", -1), "2026-10-25");
  assert.equal(addMonths("2026-12", 1), "2027-01");
  assert.equal(addMonths("2026-01", -1), "2025-12");
});

test("days with recordings, also those into which one goes on", () => {
  const file = (text, duration) => ({ started: at(text), duration });
  assert.deepEqual(recordedDays([file("2026-03-01T10:00:00Z", 5), file("2026-03-01T22:58:00Z", 300), file("2026-03-05T10:00:00Z", 5)]), [
    "2026-03-01", "2026-03-02", "2026-03-05",
  ]);
});

test("weeks of a month", () => {
  const weeks = weeksOf("2026-11", 1);
  assert.deepEqual([weeks.length, weeks[0][0], weeks.at(-1).at(-1)], [6, "2026-10-26", "2026-12-06"]);
  assert.equal(weeksOf("2026-11", 7)[0][0], "2026-11-01");
});

test("times, durations and sizes", () => {
  const format = new Format("en-GB");
  assert.equal(format.clock(at("2026-11-30T12:03:05Z")), "13:03:05");
  assert.equal(format.exact(at("2026-11-30T12:03:05.25Z")), "13:03:05.2");
  assert.equal(format.range(at("2026-11-30T12:03:05Z"), at("2026-11-30T12:17:05Z")), "13:03 – 13:17");
  assert.equal(format.range(at("2026-11-30T12:03:05Z"), at("2026-11-30T12:03:45Z")), "13:03:05 – 13:03:45");
  assert.equal(format.clock(at("2026-11-30T23:00:00Z"), "minute"), "00:00");
  assert.equal(format.duration(0.4), "0s");
  assert.equal(format.duration(65), "1m 5s");
  assert.equal(format.duration(300), "5m");
  assert.equal(format.duration(7205), "2h");
  assert.equal(format.duration(3660), "1h 1m");
  assert.equal(format.size(0), "0 byte");
  assert.equal(format.size(93_800_000), "94 MB");
  assert.equal(format.size(9_340_000_000), "9.3 GB");
  assert.equal(new Format("zh-CN").duration(65), "1分钟 5秒");
  assert.equal(new Format("en-US").firstDay % 7 <= 1, true);
});
