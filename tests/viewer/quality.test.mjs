/** The choice of a rendition by key. */

import assert from "node:assert/strict";
import test from "node:test";

import { nextPreference } from "../../viewer/quality.mjs";

test("the key goes through all choices, in turn", () => {
  assert.equal(nextPreference("auto"), "full");
  assert.equal(nextPreference("full"), "small");
  assert.equal(nextPreference("small"), "auto");
});
