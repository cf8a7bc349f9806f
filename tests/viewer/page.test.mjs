/** The page's files: what the browser will ask for is there, nothing is asked elsewhere, and the headers' policy suffices. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { TABLE } from "../../viewer/state.mjs";

/** States in which the camera is the sign, or none is shown. */
const SIMPLY_CAMERA = ["connecting", "standby", "starting", "live", "unstable"];

const folder = new URL("../../viewer/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const names = readdirSync(folder);
const modules = names.filter((name) => name.endsWith(".mjs"));
const html = read("index.html");

test("every referenced file exists", () => {
  const paths = [...html.matchAll(/(?:src|href)="(?!data:|#)([^"]*)"/g)].map(([, path]) => path);
  assert.ok(paths.length > modules.length);
  for (const path of paths) assert.ok(path.startsWith("viewer/") && existsSync(new URL(path.slice(7), folder)), path);
});

test("all references are relative, because the page may be served below a path", () => {
  for (const name of [...modules, "index.html", "style.css"]) assert.doesNotMatch(read(name), /["'`(]\/(viewer|ws|api|healthz)\b/, name);
});

test("every module is preloaded", () => {
  const early = [...html.matchAll(/(?:modulepreload" href|script type="module"(?: async)? src)="viewer\/([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(early.sort(), [...modules].sort());
});

test("only own modules are imported", () => {
  for (const name of modules) {
    for (const [, from] of read(name).matchAll(/^import .* from "(.*)";$/gm)) assert.ok(modules.includes(from.replace("./", "")), `${name}: ${from}`);
  }
});

test("scripts are smaller than 62 KB", () => {
  const bytes = modules.reduce((sum, name) => sum + Buffer.byteLength(read(name)), 0);
  assert.ok(bytes < 62 * 1024, `${bytes} bytes`);
});

test("no inline script or style", () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:/i);
});

test("no requests to other hosts, and no secure-context features", () => {
  for (const name of [...modules, "style.css", "index.html"]) {
    const text = read(name).replace("http://www.w3.org/2000/svg", ""); // a name, not an address
    assert.doesNotMatch(text, /https?:\/\/|@import|url\(/, name);
    assert.doesNotMatch(read(name), /crypto\.subtle|randomUUID|clipboard|wakeLock/, name);
  }
});

test("video autoplays muted and inline, and the state is announced", () => {
  assert.match(html, /<video autoplay muted playsinline/);
  assert.match(html, /role="status" aria-live="polite"/);
  assert.match(html, /<live-view data-state="connecting"/);
});

test("every state icon exists", () => {
  const drawn = [...html.matchAll(/<symbol id="([^"]+)"/g)].map(([, id]) => id);
  const signs = Object.keys(TABLE).filter((state) => !SIMPLY_CAMERA.includes(state)).map((state) => `sign-${state}`);
  const used = [...html.matchAll(/<use[^>]* href="#([^"]+)"/g)].map(([, id]) => id);
  for (const id of [...signs, ...used]) assert.ok(drawn.includes(id), id);
});
