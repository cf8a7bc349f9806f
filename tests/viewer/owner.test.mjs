import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { errorText } from "../../viewer/owner/api.mjs";
import { merge } from "../../viewer/owner/feed.mjs";
import { timeField, timeSetting, typed } from "../../viewer/owner/settings-store.mjs";
import { bytes, duration, health, percent, rate, throttling } from "../../viewer/owner/format.mjs";

const words = (locale) => JSON.parse(readFileSync(new URL(`../../viewer/owner/words.${locale}.json`, import.meta.url)));
const UNITS = words("en").units;

/** Names of all texts, with those of nested objects. */
const names = (object, prefix = "") =>
  Object.entries(object).flatMap(([name, value]) => (typeof value === "string" ? [prefix + name] : names(value, `${prefix}${name}.`)));
const placeholders = (object) => JSON.stringify(object).match(/\{\w+\}/g).sort();

test("both languages have the same texts with the same placeholders", () => {
  assert.deepEqual(names(words("zh")), names(words("en")));
  assert.deepEqual(placeholders(words("zh")), placeholders(words("en")));
});

test("changes are added to what is known of the viewers", () => {
  const state = { columns: [], viewers: new Map(), stream: null };
  merge(state, { columns: ["name", "loss"], stream: { state: "live" }, viewers: { v1: ["Anna", 0], v2: ["Ben", 1] } });
  merge(state, { viewers: { v2: ["Ben", 5], v3: ["Carla", 0] }, gone: ["v1"] });
  assert.deepEqual([...state.viewers.values()], [{ id: "v2", name: "Ben", loss: 5 }, { id: "v3", name: "Carla", loss: 0 }]);
  assert.equal(state.stream.state, "live");
  merge(state, { columns: ["name", "loss"], stream: { state: "offline" }, viewers: {} });
  assert.equal(state.viewers.size, 0, "the first message of a new connection replaces everything");
});

test("numbers are short", () => {
  assert.deepEqual([0, 59, 60, 3700, 90000].map((seconds) => duration(seconds, UNITS)), ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]);
  assert.equal(duration(-5, UNITS), "0 s");
  assert.deepEqual([null, 0, 999, 1000, 2500, 12345].map(rate), ["–", "0 kbit/s", "999 kbit/s", "1 Mbit/s", "2.5 Mbit/s", "12.3 Mbit/s"]);
  assert.deepEqual([null, 0, 1.5e6, 75.2e9, 2e12].map(bytes), ["–", "0 kB", "1.5 MB", "75.2 GB", "2 TB"]);
  assert.deepEqual([null, 0.123].map(percent), ["–", "12 %"]);
});

test("health of a viewer", () => {
  const viewer = { state: "connected", loss: 0, round_trip: 20, quality: "full" };
  const grades = [{}, { state: "away" }, { round_trip: null }, { loss: 3 }, { quality: "small" }, { loss: 10 }, { round_trip: 600 }];
  assert.deepEqual(grades.map((change) => health({ ...viewer, ...change })), ["good", "none", "none", "fair", "fair", "poor", "poor"]);
});

test("throttling says what is so now before what was", () => {
  assert.equal(throttling(null), null);
  assert.equal(throttling(0), null);
  assert.deepEqual(throttling(0x50005), { code: "undervoltage", now: true });
  assert.deepEqual(throttling(0x50004), { code: "throttled", now: true });
  assert.deepEqual(throttling(0x50000), { code: "undervoltage", now: false });
  assert.deepEqual(throttling(0x80000), { code: "soft", now: false });
});

test("errors of the API are JSON or plain text", () => {
  assert.equal(errorText('{"error": "no"}'), "no");
  assert.equal(errorText("no\n"), "no");
});

test("what is typed becomes a setting's value", () => {
  assert.equal(typed({ type: "number" }, "4.5"), 4.5);
  assert.equal(typed({ type: "number" }, " "), " ", "which the daemon refuses");
  assert.equal(typed({ type: "bool" }, "false"), false);
  assert.equal(typed({ type: "choice", choices: [0, 180] }, "180"), 180);
  assert.equal(typed({ type: "text" }, "12"), "12");
});

test("a planned time survives the way to the daemon and back", () => {
  assert.equal(timeField(timeSetting("2030-12-24T18:00")), "2030-12-24T18:00");
  assert.match(timeSetting("2030-12-24T18:00"), /^20[\d-]+T[\d:]+Z$/);
  assert.equal(timeField("2030-12-24 18:00"), "2030-12-24T18:00");
  assert.equal(timeField(""), "");
  assert.equal(timeSetting(""), "");
});
