/** Texts for every state, reason and code, in both languages. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { lines } from "../../viewer/stats.mjs";
import { QUALITIES, SOUND } from "../../viewer/protocol.mjs";
import { KEYS } from "../../viewer/controls.mjs";
import { choiceText } from "../../viewer/quality.mjs";
import { TABLE } from "../../viewer/state.mjs";
import { LANGUAGES, language } from "../../viewer/language.mjs";
import { describe, fill, forPointer } from "../../viewer/words.mjs";

const read = (name) => readFileSync(new URL(`../../viewer/${name}`, import.meta.url), "utf8");
/** The words of a union type. */
const union = (name) => [...read("types.d.ts").match(new RegExp(`^type ${name} =([^;]*);`, "m"))[1].matchAll(/"([^"]+)"/g)].map(([, word]) => word);
const [STREAM_REASONS, BYE_REASONS, ERROR_CODES] = ["StreamReason", "ByeReason", "ErrorCode"].map(union);
const load = (locale) => JSON.parse(read(`words.${locale}.json`));
const en = forPointer(load("en"), false);
const view = (state, more = {}) => ({ state, reason: "", limit: 0, up: true, retryIn: null, ...more });

/** The page's own reasons beside the protocol's. */
const OWN = ["signal", "frames", "paused", "refused", "no-webrtc", "too-old", "no-h264"];
const REFUSED = ["web.hosts", "web.origins"];
const STOPPED = ["1000", "1003", "1009", "4000", "4004"];

for (const locale of LANGUAGES) {
  const words = forPointer(load(locale), true);

  test(`${locale}: text for every state`, () => {
    assert.deepEqual(Object.keys(words.states).sort(), Object.keys(TABLE).sort());
    for (const state of Object.keys(TABLE)) assert.ok(describe(words, view(state, { limit: 20 })).title, state);
  });

  test(`${locale}: text for every reason and code`, () => {
    const reasons = [...STREAM_REASONS, ...BYE_REASONS, ...ERROR_CODES, ...OWN, ...REFUSED, ...STOPPED, "4001", "4005"];
    for (const reason of reasons) assert.ok(words.reasons[reason]?.title, reason);
    assert.deepEqual(Object.keys(words.reasons).sort(), [...new Set(reasons)].sort());
    for (const sound of [...SOUND, "muted"]) assert.ok(words.sound[sound], sound);
  });

  test(`${locale}: reasons of one state have different texts`, () => {
    for (const [state, reasons] of [
      ["failed", STREAM_REASONS], ["stopped", STOPPED], ["refused", REFUSED], ["denied", ["token-missing", "token-wrong", "token-expired"]],
      ["unsupported", ["no-webrtc", "too-old", "no-h264", "bad-answer"]],
    ]) {
      const texts = reasons.map((reason) => JSON.stringify(describe(words, view(state, { reason }))));
      assert.equal(new Set(texts).size, reasons.length, state);
    }
  });

  test(`${locale}: same keys as English, no empty text`, () => {
    const keys = (value, path = "") =>
      typeof value === "string" ? (assert.ok(value.trim(), path), [path]) : Object.keys(value).flatMap((key) => keys(value[key], `${path}.${key}`));
    assert.deepEqual(keys(words).sort(), keys(en).sort());
  });

  test(`${locale}: label for every command and statistic`, () => {
    for (const command of Object.values(KEYS)) assert.ok(words.controls[command], command);
    const figures = lines({ stats: null, latencyMs: null, joinMs: null, freezes: 0, quality: "full" }, words).map(([key]) => key);
    assert.deepEqual(Object.keys(words.figures).sort(), [...figures].sort());
  });

  test(`${locale}: text for every choice of quality`, () => {
    const texts = [...QUALITIES, "auto"].map((preference) => choiceText(words.qualities, preference, null));
    texts.push(...QUALITIES.map((quality) => choiceText(words.qualities, "auto", quality)));
    assert.ok(texts.every(Boolean));
    assert.equal(new Set(texts).size, Object.keys(words.qualities).length);
    for (const quality of QUALITIES) assert.equal(choiceText(words.qualities, "small", quality), words.qualities.small);
  });

  test(`${locale}: every placeholder is filled in`, () => {
    const full = describe(words, view("full", { limit: 20, up: false, retryIn: 15 }));
    assert.match(full.title, /20/);
    assert.match(full.retry, /15/);
    assert.doesNotMatch(describe(words, view("full")).title, /\{|\b0\b/);
    assert.match(fill(words.viewers, { count: 7 }), /7/);
    assert.doesNotMatch(JSON.stringify(words), /\{tap\}/);
  });

  test(`${locale}: one clicks with a mouse`, () => {
    const texts = [words.tapForSound, words.states.blocked.title, words.reasons.refused.title, words.reasons.paused.detail];
    assert.ok(texts.every((text) => text.startsWith(words.click)), texts.join());
    assert.notEqual(words.tap, words.click);
  });
}

test("English texts of the states", () => {
  const title = (...args) => {
    const { title, detail, retry } = describe(en, view(...args));
    return [title, detail, retry].filter(Boolean).join(" ");
  };
  assert.equal(title("connecting"), "Connecting…");
  assert.equal(title("standby"), "Not live right now. This page starts by itself.");
  assert.match(title("starting"), /^Starting…/);
  assert.equal(title("live"), "LIVE");
  assert.equal(title("blocked", { reason: "refused" }), "Tap to play");
  assert.equal(title("unstable"), "Weak connection");
  assert.equal(title("reconnecting", { reason: "signal", up: false, retryIn: 3 }), "Connection lost. Trying again in 3 s");
  assert.equal(title("failed"), "The camera stopped. Restarting it…");
  assert.match(title("noroute"), /^The picture can't get through this network\. .{40}/);
  assert.equal(title("unreachable"), "Can't reach the camera. Is it switched on, and are you on its network?");
  assert.equal(title("full", { limit: 20 }), "All 20 places are taken. Waiting for one.");
  assert.equal(title("full", { limit: 1 }), "The only place is taken. Waiting for one.");
  assert.equal(title("denied", { reason: "token-expired" }), "This link has ended. Ask for a new one.");
  assert.match(title("stopped", { reason: "4004" }), /^This page was opened elsewhere\./);
  assert.match(title("unsupported", { reason: "no-h264" }), /^This browser can't play the stream.*H\.264/);
});

test("auto shows the received quality", () => {
  assert.equal(choiceText(en.qualities, "auto", "small"), "Auto (small)");
  assert.equal(choiceText(en.qualities, "auto", "full"), "Auto (full)");
});

test("text of a lost connection", () => {
  assert.equal(describe(en, view("reconnecting", { reason: "signal", up: false })).retry, "Trying again…");
  assert.equal(describe(en, view("reconnecting", { reason: "signal", up: true })).detail, "Getting the picture back…");
  assert.equal(describe(en, view("reconnecting", { reason: "4005", up: false, retryIn: 15 })).title, "Too many attempts.");
});

test("unknown reasons show the text of the state", () => {
  assert.equal(describe(en, view("failed", { reason: "meteor" })).title, "The camera stopped.");
});

test("actions of the states", () => {
  const actions = Object.keys(TABLE).filter((state) => describe(en, view(state)).action);
  assert.deepEqual(actions.sort(), ["blocked", "noroute", "reconnecting", "refused", "stopped", "unreachable"]);
});

test("first supported language of the viewer", () => {
  assert.equal(language(["zh-Hans-CN", "en"]), "zh");
  assert.equal(language(["de-DE", "zh"]), "zh");
  assert.equal(language(["en-GB", "zh"]), "en");
  assert.equal(language(["fr"]), "en");
  assert.equal(language([]), "en");
  assert.equal(language(undefined), "en");
});
