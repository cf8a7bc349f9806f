/** The visible part of a day: zoom, ticks, and a bounded number of drawn spans. */

import assert from "node:assert/strict";
import test from "node:test";

import { SHORTEST, Scale } from "../../viewer/recordings/scale.mjs";

const day = () => new Scale({ from: 1000, to: 1000 + 86_400 });

test("zooming keeps the time under the pointer", () => {
  const scale = day();
  const time = scale.time(0.3);
  scale.zoom(0.25, time);
  assert.ok(Math.abs(scale.fraction(time) - 0.3) < 1e-9);
  assert.equal(scale.length, 86_400 / 4);
  assert.equal(scale.isWhole, false);
});

test("the visible part stays in the day", () => {
  const scale = day();
  scale.zoom(0.5, scale.time(0));
  scale.pan(-500);
  assert.equal(scale.from, 1000);
  scale.pan(1e6);
  assert.equal(scale.to, 1000 + 86_400);
  scale.zoom(1e-9, scale.from);
  assert.equal(scale.length, SHORTEST);
  scale.zoom(1e9, scale.from);
  assert.ok(scale.isWhole);
});

test("a playing position is kept visible", () => {
  const scale = day();
  scale.show(2000, 3000);
  assert.equal(scale.reveal(2500), false);
  assert.equal(scale.reveal(3100), true);
  assert.ok(scale.fraction(3100) > 0 && scale.fraction(3100) < 0.5);
  assert.equal(scale.reveal(999), false);
});

test("labels are round times, far enough apart", () => {
  const scale = day();
  for (let zoom = 0; zoom < 12; zoom++) {
    const { step, times } = scale.ticks(328, 64);
    assert.ok(times.length <= 328 / 64 + 1, `${times.length}`);
    assert.ok(times.length >= 1);
    for (const time of times) assert.equal((time - scale.day.from) % step, 0);
    scale.zoom(0.5, scale.time(0.4));
  }
});

test("the number of drawn spans depends on the width, not on the recordings", () => {
  const scale = day();
  const spans = Array.from({ length: 10_000 }, (_, index) => ({ from: 1000 + index * 8, to: 1000 + index * 8 + 4 }));
  assert.ok(scale.visible(spans, 1000).length <= 500);
  scale.show(2000, 2060);
  const drawn = scale.visible(spans, 1000);
  assert.equal(drawn.length, 8);
  for (const { left, width } of drawn) assert.ok(left >= 0 && left + width <= 1 + 1e-9);
});

test("even a short span is visible", () => {
  const [drawn] = day().visible([{ from: 5000, to: 5001 }], 300);
  assert.ok(drawn.width * 300 >= 1.99);
});
