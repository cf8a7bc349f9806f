/** The page's files: all exist, and none is requested from other hosts. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { LANGUAGES } from "../../viewer/language.mjs";
import { TABLE } from "../../viewer/state.mjs";

/** States without a sign of their own: the camera is shown, or nothing. */
const STATES_WITHOUT_SIGN = ["connecting", "standby", "starting", "live", "unstable"];

const folder = new URL("../../viewer/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const names = readdirSync(folder);
const modules = names.filter((name) => name.endsWith(".mjs"));
const html = read("index.html");

test("every referenced file exists", () => {
  const paths = [...html.matchAll(/(?:src|href)="(?!data:|#)([^"]*)"/g)].map(([, path]) => path);
  assert.ok(paths.length >= 3);
  for (const path of paths) assert.ok(path.startsWith("viewer/") && existsSync(new URL(path.slice(7), folder)), path);
});

test("no path is absolute, because the page may be served below a path", () => {
  for (const name of [...modules, "index.html", "style.css", "interface.css"]) assert.doesNotMatch(read(name), /["'`(]\/(viewer|ws|api|healthz)\b/, name);
});

test("every import is one of the page's modules", () => {
  for (const name of modules) {
    for (const [, from] of read(name).matchAll(/(?:^import .* from |import\()"\.\/(.*?)"/gm)) assert.ok(modules.includes(from), `${name}: ${from}`);
  }
});

test("the first words are those of the languages", () => {
  const first = JSON.parse(html.match(/<script type="application\/json" id="first-words">(.*?)<\/script>/s)[1]);
  assert.deepEqual(Object.keys(first).sort(), [...LANGUAGES].sort());
  for (const locale of LANGUAGES) {
    const { name, states } = JSON.parse(read(`words.${locale}.json`));
    assert.deepEqual(first[locale], { name, connecting: states.connecting.title, live: states.live.title });
  }
});

test("nothing that takes time before the first picture: no effects, no text, no icon", () => {
  assert.doesNotMatch(read("style.css"), /backdrop-filter|animation|transition|gradient/);
  assert.match(html, /<main class="card" hidden>/);
  assert.match(html, /<link rel="icon" href="data:,">/);
});

test("no inline code that the policy forbids", () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=|[^>]*application\/json)|javascript:/i);
});

test("no requests to other hosts, and no API that needs a secure context", () => {
  for (const name of [...modules, "style.css", "interface.css", "index.html"]) {
    const text = read(name).replace("http://www.w3.org/2000/svg", ""); // an XML namespace, not a request
    assert.doesNotMatch(text, /https?:\/\/|@import|url\(/, name);
    assert.doesNotMatch(read(name), /crypto\.subtle|randomUUID|clipboard|wakeLock/, name);
  }
});

test("the video starts muted, automatically and inline, and screen readers announce the state", () => {
  assert.match(html, /<video autoplay muted playsinline/);
  assert.match(html, /role="status" aria-live="polite"/);
  assert.match(html, /<live-view data-state="connecting"/);
});

test("every sign is defined", () => {
  const drawn = [...html.matchAll(/<symbol id="([^"]+)"/g)].map(([, id]) => id);
  const signs = Object.keys(TABLE).filter((state) => !STATES_WITHOUT_SIGN.includes(state)).map((state) => `sign-${state}`);
  const used = [...html.matchAll(/<use[^>]* href="#([^"]+)"/g)].map(([, id]) => id);
  for (const id of [...signs, ...used]) assert.ok(drawn.includes(id), id);
});
