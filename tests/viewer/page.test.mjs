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

test("all that the page names is there", () => {
  const paths = [...html.matchAll(/(?:src|href)="(?!data:|#)([^"]*)"/g)].map(([, path]) => path);
  assert.ok(paths.length > modules.length);
  for (const path of paths) assert.ok(path.startsWith("viewer/") && existsSync(new URL(path.slice(7), folder)), path);
});

test("nothing is named from the root of the server: the page may be served below a path", () => {
  for (const name of [...modules, "index.html", "style.css"]) assert.doesNotMatch(read(name), /["'`(]\/(viewer|ws|api|healthz)\b/, name);
});

test("every module is fetched at once, none waits for the one before it", () => {
  const early = [...html.matchAll(/(?:modulepreload" href|script type="module"(?: async)? src)="viewer\/([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(early.sort(), [...modules].sort());
});

test("every import is one of our modules", () => {
  for (const name of modules) {
    for (const [, from] of read(name).matchAll(/^import .* from "(.*)";$/gm)) assert.ok(modules.includes(from.replace("./", "")), `${name}: ${from}`);
  }
});

test("under 66 KB of script", () => {
  const bytes = modules.reduce((sum, name) => sum + Buffer.byteLength(read(name)), 0);
  assert.ok(bytes < 66 * 1024, `${bytes} bytes`);
});

test("nothing inline that the policy forbids", () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:/i);
});

test("no request to anybody else, and nothing that needs a secure context", () => {
  for (const name of [...modules, "style.css", "index.html"]) {
    const text = read(name).replace("http://www.w3.org/2000/svg", ""); // a name, not an address
    assert.doesNotMatch(text, /https?:\/\/|@import|url\(/, name);
    assert.doesNotMatch(read(name), /crypto\.subtle|randomUUID|clipboard|wakeLock/, name);
  }
});

test("the video starts muted, by itself and in its place, and the state is read out", () => {
  assert.match(html, /<video autoplay muted playsinline/);
  assert.match(html, /role="status" aria-live="polite"/);
  assert.match(html, /<live-view data-state="connecting"/);
});

test("every sign that is shown is drawn", () => {
  const drawn = [...html.matchAll(/<symbol id="([^"]+)"/g)].map(([, id]) => id);
  const signs = Object.keys(TABLE).filter((state) => !SIMPLY_CAMERA.includes(state)).map((state) => `sign-${state}`);
  const used = [...html.matchAll(/<use[^>]* href="#([^"]+)"/g)].map(([, id]) => id);
  for (const id of [...signs, ...used]) assert.ok(drawn.includes(id), id);
});
