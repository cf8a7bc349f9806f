/** Playback over the web on traces of arrivals, in a model of Chromium's media element. */

import assert from "node:assert/strict";
import test from "node:test";

import { MAX_EXTRA, Playback, RESERVE } from "../../viewer/playback.mjs";

const FRAME = 1000 / 30;
const STEP = 5;

/**
 * A media element as measured in Chromium: it takes audio `need` s before it is heard (50 ms more at another speed with
 * the same pitch), begins with `THRESHOLD` s ahead, and wants twice as much after each stall without a seek.
 */
class Element {
  static THRESHOLD = 0.2;
  static SEEK = 60;
  position = 0;
  end = 0;
  waits = true;
  hasPlayed = false;
  threshold = Element.THRESHOLD;
  blockedUntil = -Infinity;
  seeks = 0;

  constructor(need, drift) {
    Object.assign(this, { need, drift });
  }

  get ahead() {
    return this.end - this.position;
  }

  seek(position, now) {
    this.seeks += 1;
    Object.assign(this, { position, waits: true, hasPlayed: false, threshold: Element.THRESHOLD, blockedUntil: now + Element.SEEK });
  }

  /** Plays for `STEP` ms; returns whether it waits, and whether that has just begun. */
  play(playback, now) {
    const need = this.need + (playback.preservesPitch && playback.rate !== 1 ? 0.05 : 0);
    if (!this.waits && this.ahead < need) {
      this.waits = true;
      this.threshold *= 2;
      playback.stalled(this.ahead, now);
    } else if (this.waits && now >= this.blockedUntil && this.ahead >= this.threshold) {
      this.waits = false;
      playback.played();
    }
    if (!this.waits) this.position += (STEP / 1000) * playback.rate * (1 + this.drift);
  }
}

/**
 * Plays fragments that arrive with these delays in ms; the order is kept. Returns what a viewer sees from `from` on: the
 * time that the picture stood still, delays in ms (p50, most), and how often playback was at another speed.
 */
function played(delays, { need = 0.09, drift = 0, from = 3000 } = {}) {
  const playback = new Playback(0), element = new Element(need, drift);
  const lags = [], rates = [];
  let next = 0, frozen = 0;
  for (let now = 0, last = 0; next < delays.length; now += STEP) {
    for (; next < delays.length && (last = Math.max(last, (next + 1) * FRAME + delays[next])) <= now; next += 1) {
      element.end = ((next + 1) * FRAME) / 1000;
      const seek = playback.follow(element.position, { start: 0, end: element.end }, now);
      if (seek !== null) element.seek(seek, now);
    }
    element.play(playback, now);
    if (now < from) continue;
    frozen += element.waits ? STEP : 0;
    lags.push(now - element.position * 1000);
    rates.push(playback.rate);
  }
  lags.sort((a, b) => a - b);
  return {
    frozen, seeks: element.seeks, p50: lags[lags.length >> 1], most: lags.at(-1), extra: playback.extra,
    changed: rates.filter((rate) => rate !== 1).length / rates.length,
  };
}

/** Pseudo-random numbers from 0 to 1. */
function random(seed) {
  let state = seed;
  return () => ((state = (state * 48271) % 2147483647), state / 2147483647);
}

const minute = (delay) => Array.from({ length: 1800 }, (_, index) => delay(index));

test("steady arrivals: no freeze, little delay, normal speed", () => {
  const seen = played(minute(() => 0));
  assert.equal(seen.frozen, 0);
  assert.ok(seen.p50 < 200, `${seen.p50} ms`);
  assert.ok(seen.changed < 0.05, `${seen.changed}`);
});

test("jitter is covered by more delay, and not for longer than it lasts", () => {
  const next = random(7);
  const jitter = minute((index) => (index < 900 ? 90 * next() : 0));
  const whole = played(jitter), after = played(jitter, { from: 36_000 });
  assert.equal(whole.frozen, 0);
  assert.ok(whole.most < 400, `${whole.most} ms`);
  assert.ok(after.p50 < 200, `${after.p50} ms`);
});

test("bursts freeze the picture once", () => {
  const seen = played(minute((index) => (index % 60 > 54 ? ((60 - (index % 60)) * FRAME) : 0)));
  assert.ok(seen.frozen <= 200, `${seen.frozen} ms`);
  assert.ok(seen.most < 500, `${seen.most} ms`);
});

test("a network that stops for a second: back within three", () => {
  const pause = minute((index) => (index >= 300 && index < 330 ? (330 - index) * FRAME : 0));
  const after = played(pause, { from: 14_000 });
  assert.equal(after.frozen, 0);
  assert.ok(after.p50 < 250, `${after.p50} ms`);
  assert.ok(after.most < 500, `${after.most} ms`);
});

test("a clock that is faster or slower than the daemon's never empties the buffer", () => {
  for (const drift of [-0.001, 0.001]) {
    const seen = played([...minute(() => 0), ...minute(() => 0), ...minute(() => 0)], { drift });
    assert.equal(seen.frozen, 0, `${drift}`);
    assert.ok(seen.most < 270, `${seen.most} ms`);
  }
});

test("a device that needs more gets it after short stalls, and keeps it", () => {
  const delays = Array.from({ length: 30 * 300 }, () => 0);
  const all = played(delays, { need: 0.25, from: 0 }), later = played(delays, { need: 0.25, from: 30_000 });
  assert.ok(all.frozen < 2500, `${all.frozen} ms`);
  assert.ok(later.frozen < 0.005 * 270_000, `${later.frozen} ms`);
  assert.ok(later.p50 < 1000 * (RESERVE + MAX_EXTRA), `${later.p50} ms`);
});
