/** The page's files: all exist, none is requested from other hosts, and the Content-Security-Policy allows them. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { TABLE } from "../../viewer/state.mjs";

/** Loaded only where WebRTC does not work. */
const LATE = ["playback.mjs", "player.mjs", "source-feed.mjs"];

/** States without a sign of their own: the camera is shown, or nothing. */
const STATES_WITHOUT_SIGN = ["connecting", "standby", "starting", "live", "unstable"];

const folder = new URL("../../viewer/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const names = readdirSync(folder);
const modules = names.filter((name) => name.endsWith(".mjs"));
const early = modules.filter((name) => !LATE.includes(name));
const html = read("index.html");

test("every referenced file exists", () => {
  const paths = [...html.matchAll(/(?:src|href)="(?!data:|#)([^"]*)"/g)].map(([, path]) => path);
  assert.ok(paths.length > early.length);
  for (const path of paths) assert.ok(path.startsWith("viewer/") && existsSync(new URL(path.slice(7), folder)), path);
});

test("no path is absolute, because the page may be served below a path", () => {
  for (const name of [...modules, "index.html", "style.css"]) assert.doesNotMatch(read(name), /["'`(]\/(viewer|ws|api|healthz)\b/, name);
});

test("every module of the first picture is preloaded, and no other", () => {
  const named = [...html.matchAll(/(?:modulepreload" href|script type="module"(?: async)? src)="viewer\/([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(named.sort(), [...early].sort());
});

test("every import is one of the page's modules; late modules are imported by the others only when they are needed", () => {
  for (const name of modules) {
    for (const [, from] of read(name).matchAll(/^import .* from "(.*)";$/gm)) {
      assert.ok((early.includes(name) ? early : modules).includes(from.replace("./", "")), `${name}: ${from}`);
    }
  }
  const late = early.flatMap((name) => [...read(name).matchAll(/await import\("\.\/(.*?)"\)/g)].map(([, from]) => from));
  assert.deepEqual(late, ["player.mjs"]);
});

test("scripts are smaller than 86 KB, the late ones than 20 KB", () => {
  const size = (names) => names.reduce((sum, name) => sum + Buffer.byteLength(read(name)), 0);
  assert.ok(size(early) < 86 * 1024, `${size(early)} bytes`);
  assert.ok(size(LATE) < 20 * 1024, `${size(LATE)} bytes`);
});

test("no inline code that the policy forbids", () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:/i);
});

test("no requests to other hosts, and no API that needs a secure context", () => {
  for (const name of [...modules, "style.css", "index.html"]) {
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
