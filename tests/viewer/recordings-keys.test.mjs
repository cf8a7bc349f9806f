/** Keyboard shortcuts of the recordings. */

import assert from "node:assert/strict";
import test from "node:test";

import { KEYS, command } from "../../viewer/recordings/keys.mjs";

const page = { tagName: "BODY" };
const press = (key, more = {}) => command({ key, target: page, ...more });

test("commands of the keys", () => {
  const expected = {
    " ": "play", k: "play", ArrowLeft: "back", ArrowRight: "forward", ",": "frameBack", ".": "frameForward", i: "markIn", o: "markOut",
    s: "clip", d: "download", Delete: "remove", Home: "first", End: "last", "?": "help",
  };
  for (const [key, action] of Object.entries(expected)) assert.equal(press(key), action, key);
  assert.equal(press("ArrowLeft", { shiftKey: true }), "backMinute");
  assert.equal(press("ArrowRight", { shiftKey: true }), "forwardMinute");
  assert.equal(press("?", { shiftKey: true }), "help");
  for (const key of ["x", "Escape", "Tab", "Enter", "constructor", "shift+ArrowLeft".slice(0, 5)]) assert.equal(press(key), null, key);
});

test("never while typing, in a dialog, or with a modifier", () => {
  for (const target of [
    { tagName: "INPUT", type: "text" }, { tagName: "INPUT", type: "number" }, { tagName: "SELECT" }, { tagName: "TEXTAREA" },
    { tagName: "DIV", isContentEditable: true }, { tagName: "P", closest: (selector) => selector === "dialog" },
  ]) for (const key of Object.keys(KEYS)) assert.equal(press(key, { target }), null, `${target.tagName} ${key}`);
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { defaultPrevented: true }]) assert.equal(press("d", more), null);
});

test("space on a button presses it; a held key repeats only movements", () => {
  assert.equal(press(" ", { target: { tagName: "BUTTON" } }), null);
  assert.equal(press("k", { target: { tagName: "BUTTON" } }), "play");
  assert.equal(press("ArrowLeft", { repeat: true }), "back");
  assert.equal(press(".", { repeat: true }), "frameForward");
  for (const key of ["s", "d", "Delete", "k"]) assert.equal(press(key, { repeat: true }), null, key);
});
