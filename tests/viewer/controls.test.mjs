/** Keyboard shortcuts. */

import assert from "node:assert/strict";
import test from "node:test";

import { command } from "../../viewer/controls.mjs";

const page = { tagName: "BODY" };
const press = (key, more = {}) => command({ key, target: page, ...more });

test("commands of the keys", () => {
  const keys = { " ": "pause", k: "pause", m: "mute", f: "full", p: "pip", s: "snapshot", i: "stats", q: "quality", "?": "help" };
  for (const [key, action] of Object.entries(keys)) assert.equal(press(key), action);
  assert.equal(press("M"), "mute");
  for (const key of ["x", "Escape", "Tab", "Enter", "constructor"]) assert.equal(press(key), null, key);
});

test("no command while typing", () => {
  for (const target of [
    { tagName: "INPUT", type: "text" }, { tagName: "TEXTAREA" }, { tagName: "SELECT" }, { tagName: "DIV", isContentEditable: true },
  ]) assert.equal(press("m", { target }), null, target.tagName);
  assert.equal(press("m", { target: { tagName: "INPUT", type: "range" } }), "mute");
});

test("space on a focused button is no command", () => {
  assert.equal(press(" ", { target: { tagName: "BUTTON" } }), null);
  assert.equal(press("k", { target: { tagName: "BUTTON" } }), "pause");
});

test("no command with a modifier, on repetition, or if already handled", () => {
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { repeat: true }, { defaultPrevented: true }]) {
    assert.equal(press("s", more), null);
  }
});
