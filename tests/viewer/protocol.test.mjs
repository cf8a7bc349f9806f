/** Validation of messages, and of candidates before they are sent. */

import assert from "node:assert/strict";
import test from "node:test";

import { CLOSE_CODES, QUALITIES, SOUND, STREAM_STATES, SUBPROTOCOL, isUsefulCandidate, parse } from "../../viewer/protocol.mjs";

const STREAM = { state: "live", since: 1_700_000_000.5, sound: "on" };
const GOOD = {
  welcome: {
    session: "a", resume: "b", resumed: false, viewers: 3, stream: STREAM,
    heartbeat: { ping_interval: 3, pong_timeout: 4, idle: 5, server_timeout: 7 },
    media: { url: "media", ticket: "t" },
  },
  offer: { id: 1, sdp: "v=0", ice_servers: [], clock: { rtp: 4294967295, at: 12.5 } },
  candidate: { id: 1, candidate: null },
  stream: STREAM,
  viewers: { count: 0 },
  media: { url: "media", ticket: "t" },
  heartbeat: { t: 1.5, now: 2.5 },
  bye: { id: 1, reason: "lost" },
  error: { code: "full", message: "…", limit: 20 },
};
const read = (type, fields) => parse(JSON.stringify({ type, ...fields }));

test("the sets of PROTOCOL.md", () => {
  assert.equal(SUBPROTOCOL, "broadcaster.v1");
  assert.deepEqual(STREAM_STATES, ["offline", "starting", "live", "stopping", "failed"]);
  assert.deepEqual(SOUND, ["on", "none", "lost"]);
  assert.deepEqual(QUALITIES, ["full", "small"]);
});

test("every good message is read as it is", () => {
  for (const [type, fields] of Object.entries(GOOD)) assert.deepEqual(read(type, fields), { type, ...fields });
});

test("optional fields may be missing, or null", () => {
  assert.equal(typeof read("offer", { id: 1, sdp: "", ice_servers: [] }), "object");
  assert.equal(typeof read("offer", { id: 1, sdp: "", ice_servers: [], clock: null }), "object");
  assert.equal(typeof read("heartbeat", { now: 1, ask: true }), "object");
  assert.equal(typeof read("error", { code: "internal" }), "object");
});

test("every missing or wrong field is named", () => {
  for (const [type, fields] of Object.entries(GOOD)) {
    for (const name of Object.keys(fields)) {
      if (type === "candidate" && name === "candidate") continue; // reserved, not looked at
      assert.equal(read(type, { ...fields, [name]: { wrong: true } }), `invalid ${type}.${name}`);
      const optional = ["clock", "t", "message", "limit"].includes(name) || (type === "welcome" && name === "media");
      const { [name]: _, ...rest } = fields;
      assert.equal(typeof read(type, rest), optional ? "object" : "string", `${type} without ${name}`);
    }
  }
});

test("states and sounds that do not exist are no message; new reasons are", () => {
  assert.equal(read("stream", { ...STREAM, state: "paused" }), "invalid stream.state");
  assert.equal(read("stream", { ...STREAM, sound: "loud" }), "invalid stream.sound");
  assert.equal(read("stream", { ...STREAM, quality: "auto" }), "invalid stream.quality");
  for (const quality of QUALITIES) assert.equal(read("stream", { ...STREAM, quality }).quality, quality);
  assert.equal(typeof read("stream", { ...STREAM, state: "failed", reason: "of a later version" }), "object");
});

test("numbers that are none", () => {
  assert.equal(read("viewers", { count: -1 }), "invalid viewers.count");
  assert.equal(read("viewers", { count: 1.5 }), "invalid viewers.count");
  assert.equal(parse('{"type":"viewers","count":1e999}'), "invalid viewers.count");
  assert.equal(read("welcome", { ...GOOD.welcome, heartbeat: { idle: 0 } }), "invalid welcome.heartbeat");
});

test("later versions add types and fields", () => {
  assert.equal(read("chat", { text: "hello" }), "a message of type chat");
  assert.equal(typeof read("viewers", { count: 1, list: [] }), "object");
  assert.equal(read("toString", {}), "a message of type toString");
});

test("what is no message at all", () => {
  for (const data of ["", "{", "null", "1", '"live"', "[]", "{}", '{"type":null}', '{"type":7}', undefined, new ArrayBuffer(2)]) {
    assert.equal(typeof parse(data), "string", String(data));
  }
});

test("candidates: neither .local names nor TCP", () => {
  const candidate = (transport, address) => `candidate:1 1 ${transport} 2122260223 ${address} 54321 typ host`;
  assert.equal(isUsefulCandidate(candidate("udp", "192.168.1.7")), true);
  assert.equal(isUsefulCandidate(candidate("UDP", "fd00::7")), true);
  assert.equal(isUsefulCandidate(candidate("tcp", "192.168.1.7")), false);
  assert.equal(isUsefulCandidate(candidate("udp", "0b1c8e5a-1111-4222-8333-944455556666.local")), false);
  assert.equal(isUsefulCandidate(""), false);
});

test("the table of close codes", () => {
  assert.deepEqual(CLOSE_CODES, {
    1000: "signal:stopped", 1001: "signal:lost", 1003: "signal:stopped", 1009: "signal:stopped", 1012: "signal:lost",
    4000: "signal:stopped", 4001: "signal:denied", 4002: "signal:lost", 4003: "signal:full", 4004: "signal:stopped",
    4005: "signal:busy",
  });
});
