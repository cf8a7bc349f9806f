/** The token: moved from the address bar to the store. */

import assert from "node:assert/strict";
import test from "node:test";

import { TokenStore, tokenOf } from "../../viewer/token.mjs";

test("token in a link", () => {
  assert.equal(tokenOf("#t=abc-DEF_1"), "abc-DEF_1");
  assert.equal(tokenOf("#t=a%2Bb&x=1"), "a+b");
  for (const hash of ["", "#", "#t=", "#x=1", "#token=abc"]) assert.equal(tokenOf(hash), null, hash);
});

function storage(items = {}) {
  return { items, getItem: (key) => items[key] ?? null, setItem: (key, value) => (items[key] = value) };
}

test("the token is moved from the address bar to the store", () => {
  const kept = storage();
  const shown = [];
  const tokens = new TokenStore(() => kept, "/");
  const location = { hash: "#t=secret", pathname: "/", search: "?stats=1" };
  assert.equal(tokens.take(location, { replaceState: (_state, _title, url) => shown.push(url) }), true);
  assert.equal(tokens.token, "secret");
  assert.deepEqual(kept.items, { "/": "secret" });
  assert.deepEqual(shown, ["/?stats=1"]);
  assert.equal(new TokenStore(() => kept, "/").token, "secret");
});

test("without a token in the address nothing changes", () => {
  const tokens = new TokenStore(() => storage({ "/": "old" }), "/");
  assert.equal(tokens.take({ hash: "", pathname: "/", search: "" }, { replaceState: assert.fail }), false);
  assert.equal(tokens.token, "old");
});

test("without storage the token is kept in memory", () => {
  const tokens = new TokenStore(() => { throw new DOMException("denied", "SecurityError"); }, "/");
  assert.equal(tokens.token, undefined);
  tokens.keep("secret");
  assert.equal(tokens.token, "secret");
});

test("each path of an origin has its own token", () => {
  const kept = storage();
  new TokenStore(() => kept, "/garden/").keep("of the garden");
  assert.equal(new TokenStore(() => kept, "/garage/").token, undefined);
  assert.equal(new TokenStore(() => kept, "/garden/").token, "of the garden");
});
