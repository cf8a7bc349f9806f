/** Statistics from getStats, heartbeats and frames, and their text. */

import assert from "node:assert/strict";
import test from "node:test";

import { ClockOffset, latency, median } from "../../viewer/latency.mjs";
import { Meter, lines, route, snapshot, statsBetween } from "../../viewer/stats.mjs";

const reports = (video, more = []) => [
  { id: "v", type: "inbound-rtp", kind: "video", codecId: "c1", frameWidth: 1280, frameHeight: 720, ...video },
  { id: "a", type: "inbound-rtp", kind: "audio", codecId: "c2", bytesReceived: 1000 },
  { id: "c1", type: "codec", mimeType: "video/H264" },
  { id: "c2", type: "codec", mimeType: "audio/opus" },
  { id: "t", type: "transport", selectedCandidatePairId: "p2" },
  { id: "p1", type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 9 },
  { id: "p2", type: "candidate-pair", currentRoundTripTime: 0.0042, localCandidateId: "l", remoteCandidateId: "r" },
  { id: "l", type: "local-candidate", candidateType: "prflx" },
  { id: "r", type: "remote-candidate", candidateType: "host", address: "192.168.1.5" },
  ...more,
];
const FIRST = {
  bytesReceived: 100_000, framesDecoded: 300, jitterBufferDelay: 3, jitterBufferEmittedCount: 300, totalDecodeTime: 0.6,
  packetsLost: 2, retransmittedPacketsReceived: 1, keyFramesDecoded: 1, pliCount: 0, nackCount: 2,
};
const SECOND = {
  bytesReceived: 412_500, framesDecoded: 330, jitterBufferDelay: 3.3, jitterBufferEmittedCount: 330, totalDecodeTime: 0.75,
  packetsLost: 5, retransmittedPacketsReceived: 3, keyFramesDecoded: 2, pliCount: 1, nackCount: 4,
};

test("rates are differences between snapshots, counts are totals", () => {
  const found = statsBetween(snapshot(reports(FIRST), 10_000), snapshot(reports(SECOND), 11_000));
  assert.equal(found.fps, 30);
  assert.equal(found.bitrate, 2_500_000);
  assert.equal(Math.round(found.buffer * 100) / 100, 10);
  assert.equal(Math.round(found.decode * 100) / 100, 5);
  const { width, height, lost, repaired, keyframes, plis, nacks } = found;
  assert.deepEqual([width, height, lost, repaired, keyframes, plis, nacks], [1280, 720, 5, 3, 2, 1, 4]);
  assert.equal(found.codec, "H264 · opus");
  assert.equal(found.route, "same");
});

test("the candidate pair is the transport's, if reported, else the nominated one", () => {
  assert.equal(snapshot(reports(FIRST), 0).trip, 4.2);
  const without = reports(FIRST).filter(({ type }) => type !== "transport");
  assert.equal(snapshot(without, 0).trip, 9000);
});

test("a single snapshot has no rates", () => {
  const found = statsBetween(null, snapshot(reports(FIRST), 10_000));
  assert.deepEqual([found.fps, found.bitrate, found.buffer, found.decode], [null, null, null, null]);
});

test("without frames the decode time is unknown", () => {
  const found = statsBetween(snapshot(reports(FIRST), 0), snapshot(reports(FIRST), 1000));
  assert.deepEqual([found.fps, found.bitrate, found.buffer, found.decode], [0, 0, null, null]);
});

test("reports of a new connection", () => {
  const found = statsBetween(null, snapshot([], 0));
  assert.deepEqual([found.width, found.trip, found.route, found.codec, found.lost], [0, null, "", "", 0]);
});

test("route of the media", () => {
  const to = (address, candidateType = "host") => route({ candidateType: "host" }, { candidateType, address });
  for (const address of ["10.1.2.3", "172.16.0.1", "172.31.9.9", "192.168.0.2", "169.254.1.1", "127.0.0.1", "::1", "fe80::1", "fd12::1"]) {
    assert.equal(to(address), "same", address);
  }
  for (const address of ["172.32.0.1", "192.169.0.1", "8.8.8.8", "2001:db8::1", undefined]) assert.equal(to(address), "direct", address);
  assert.equal(to("192.168.0.2", "relay"), "relayed");
  assert.equal(route({ candidateType: "relay" }, { candidateType: "host", address: "192.168.0.2" }), "relayed");
  assert.equal(route(undefined, undefined), "");
});

test("all statistics as text", () => {
  const found = statsBetween(snapshot(reports(FIRST), 10_000), snapshot(reports(SECOND), 11_000));
  const words = { routes: { same: "same network" }, qualities: { full: "Full" } };
  const text = Object.fromEntries(lines({ stats: found, latencyMs: 41.6, joinMs: 130.2, freezes: 1, quality: "full" }, words));
  assert.deepEqual(text, {
    latency: "42 ms", join: "130 ms", size: "1280×720, 30 fps", quality: "Full", bitrate: "2.50 Mbit/s", codec: "H264 · opus", buffer: "10.0 ms",
    decode: "5.0 ms", trip: "4.2 ms", route: "same network", lost: "5", repaired: "3", freezes: "1", keyframes: "2", plis: "1", nacks: "4",
  });
});

test("unknown values are null, zero is zero", () => {
  const text = Object.fromEntries(lines({ stats: null, latencyMs: null, joinMs: null, freezes: 0, quality: null }, { routes: {}, qualities: {} }));
  assert.equal(text.freezes, "0");
  for (const [key, value] of Object.entries(text)) if (key !== "freezes") assert.equal(value, null, key);
  assert.ok(!("quality" in text), "there is nothing to choose");
});

test("the frame rate is that of the stream, though single readings see a frame more or less", async () => {
  const meter = new Meter();
  let framesDecoded = 0;
  const peer = { stats: async () => reports({ ...FIRST, framesDecoded }), setPlayoutDelay() {} };
  const rates = [];
  for (const [index, frames] of [0, 30, 29, 31, 30, 31].entries()) {
    framesDecoded += frames;
    rates.push((await meter.peerStats(peer, index * 1000)).stats.fps);
  }
  assert.deepEqual([rates[0], rates.at(-1)], [null, 30]);
  assert.equal((await meter.peerStats({ ...peer }, 9000)).stats.fps, null, "another connection");
});

test("the offset is unknown without a heartbeat", () => {
  assert.equal(new ClockOffset().offset, null);
});

test("the daemon's clock is assumed to be read in the middle of the round trip", () => {
  const offset = new ClockOffset();
  offset.add(1000, 501_005, 1010);
  assert.equal(offset.offset, 500_000);
});

test("the heartbeat with the shortest round trip counts", () => {
  const offset = new ClockOffset();
  offset.add(1000, 501_190, 1200); // 200 ms, most of it on the way there
  offset.add(2000, 502_001, 2002);
  offset.add(3000, 503_010, 3100);
  assert.equal(offset.offset, 500_000);
});

test("old heartbeats are forgotten", () => {
  const offset = new ClockOffset();
  offset.add(0, 900_001, 2);
  for (let i = 1; i <= 8; i += 1) offset.add(i * 5000, i * 5000 + 700_005, i * 5000 + 10);
  assert.equal(offset.offset, 700_000);
});

test("a heartbeat that is no answer is ignored", () => {
  const offset = new ClockOffset();
  offset.add(undefined, 5, 10);
  assert.equal(offset.offset, null);
});

const CLOCK = { rtp: 90_000, at: 700_000 };

test("latency is the daemon's time minus the capture time", () => {
  // captured one second after the clock's moment, at 701 000 there; now is 701 050 there
  assert.equal(latency(CLOCK, 180_000, 500_000, 201_050), 50);
});

test("latency is correct across a wrap of the timestamps", () => {
  const late = latency({ rtp: 2 ** 32 - 45_000, at: 0 }, 45_000, 0, 1040);
  assert.ok(Math.abs(late - 40) < 0.01, String(late));
  const early = latency({ rtp: 45_000, at: 1000 }, 2 ** 32 - 45_000, 0, 30);
  assert.ok(Math.abs(early - 30) < 0.01, String(early));
});

test("latency is correct for days, although timestamps wrap every 13 hours", () => {
  const ms = 3 * 24 * 3_600_000;
  const late = latency({ rtp: 7, at: 100 }, (7 + ms * 90) % 2 ** 32, 0, 100 + ms + 35);
  assert.ok(Math.abs(late - 35) < 0.01, String(late));
});

test("latency is null if anything is unknown", () => {
  assert.equal(latency(null, 1, 0, 0), null);
  assert.equal(latency(undefined, 1, 0, 0), null);
  assert.equal(latency(CLOCK, undefined, 0, 0), null);
  assert.equal(latency(CLOCK, 1, null, 0), null);
});

test("median", () => {
  assert.equal(median([]), null);
  assert.equal(median([3]), 3);
  assert.equal(median([9, 1, 100, 2, 3]), 3);
});
