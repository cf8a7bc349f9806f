/** The page of recordings: its files, its words, and that the viewer page loads nothing of it. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { KEYS } from "../../viewer/recordings/keys.mjs";
import { icon, template } from "../../viewer/recordings/template.mjs";
import { LANGUAGES } from "../../viewer/language.mjs";

const folder = new URL("../../viewer/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const modules = readdirSync(new URL("recordings/", folder)).filter((name) => name.endsWith(".mjs"));
const sources = modules.map((name) => [name, read(`recordings/${name}`)]);
const html = read("recordings.html");
const load = (locale) => JSON.parse(read(`recordings/words.${locale}.json`));
const keys = (value, path = "") =>
  typeof value === "string" ? (assert.ok(value.trim(), path), [path]) : Object.keys(value).flatMap((key) => keys(value[key], `${path}.${key}`));

test("every referenced file and every imported module exists", () => {
  const paths = [...html.matchAll(/(?:src|href)="(?!data:|#)([^"]*)"/g)].map(([, path]) => path);
  for (const path of paths) assert.ok(path.startsWith("viewer/") && existsSync(new URL(path.slice(7), folder)), path);
  for (const [name, text] of sources) {
    for (const [, from] of text.matchAll(/^import .* from "(.*)";$/gm)) assert.ok(existsSync(new URL(from, new URL("recordings/", folder))), `${name}: ${from}`);
  }
});

test("the viewer page loads nothing of it", () => {
  for (const name of readdirSync(folder).filter((file) => /\.(mjs|css)$/.test(file) || file === "index.html")) {
    assert.doesNotMatch(read(name), /["'(./]recordings[/"']/, name);
  }
});

test("no absolute path, no inline code or style, no other host, no API that needs a secure context", () => {
  for (const [name, text] of [...sources, ["recordings.html", html], ["recordings.css", read("recordings/recordings.css")]]) {
    assert.doesNotMatch(text, /["'`(]\/(viewer|api|recordings)\b/, name);
    assert.doesNotMatch(text, /<style|\sstyle="|\son\w+="|<script(?![^>]*\ssrc=)|javascript:/i, name);
    assert.doesNotMatch(text.replaceAll("http://www.w3.org/2000/svg", ""), /https?:\/\/|@import/, name);
    assert.doesNotMatch(text, /crypto\.subtle|randomUUID|navigator\.clipboard|wakeLock/, name);
  }
});

test("every button has a command, and every icon is drawn", () => {
  const source = read("recordings/commands.mjs");
  const used = [...template(1).matchAll(/data-command="(\w+)"/g)].map(([, name]) => name);
  for (const name of [...new Set([...used, ...Object.values(KEYS)])]) assert.match(source, new RegExp(`\\b${name}: \\(`), name);
  assert.doesNotMatch(template(1), /undefined/);
  assert.doesNotMatch(icon("star"), /undefined/);
  assert.match(template(3), /<h3 class="title">/);
});

for (const locale of LANGUAGES) {
  test(`${locale}: same keys as English, same placeholders, no empty text`, () => {
    const [words, en] = [load(locale), load("en")];
    assert.deepEqual(keys(words).sort(), keys(en).sort());
    const at = (object, path) => path.slice(1).split(".").reduce((value, key) => value[key], object);
    for (const path of keys(en)) {
      const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(([hole]) => hole).sort();
      assert.deepEqual(holes(at(words, path)), holes(at(en, path)), path);
    }
  });

  test(`${locale}: every key has words in the help, and every word is used`, () => {
    const words = load(locale);
    assert.deepEqual(Object.keys(words.commands).sort(), [...new Set(Object.values(KEYS))].sort());
    const all = sources.map(([, text]) => text).join("\n");
    for (const group of ["storage", "day", "player", "timeline", "list", "ask", "share", "help"]) {
      for (const name of Object.keys(words[group])) assert.match(all, new RegExp(`\\b${name.replace(/\d+$/, "")}\\b`), `${group}.${name}`);
    }
  });
}
