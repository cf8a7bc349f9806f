/** The viewer from start to end: states, statistics, choice of the quality; with fake time and transports. */

import assert from "node:assert/strict";
import test from "node:test";

import { ViewerDriver } from "./fakes.mjs";

const OFFER_CLOCK = { clock: { rtp: 0, at: 50_000 + 960 } };

test("page is live with the first frame after hello, answer and candidates", async () => {
  const driver = new ViewerDriver({ token: "t0ken" });
  driver.welcome();
  assert.deepEqual(driver.sent("hello"), [{ type: "hello", token: "t0ken" }]);
  driver.offer(7);
  driver.peer.listener.answer("v=0 answer");
  driver.peer.listener.candidate({ candidate: "candidate:1 1 udp 1 192.168.1.7 5000 typ host" });
  driver.peer.listener.candidate(null);
  assert.deepEqual(driver.sent("answer"), [{ type: "answer", id: 7, sdp: "v=0 answer" }]);
  assert.deepEqual(driver.sent("candidate").map(({ id, candidate }) => [id, candidate?.candidate?.slice(0, 9) ?? null]), [[7, "candidate"], [7, null]]);
  driver.peer.listener.network("connected");
  await driver.run(400);
  assert.equal(driver.state, "connecting", "connected is not live yet");
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
  assert.deepEqual(driver.states, ["connecting", "live"]);
  assert.equal(driver.view.joinMs, 440);
  assert.equal(driver.view.picture, "moving");
});

test("page follows the states of the stream", async () => {
  const driver = new ViewerDriver();
  driver.welcome("offline");
  assert.equal(driver.state, "standby");
  driver.stream("starting");
  assert.equal(driver.state, "starting");
  await driver.run(60_000);
  driver.stream("live");
  assert.equal(driver.state, "connecting");
  driver.offer();
  driver.peer.listener.network("connected");
  await driver.run(120, { frames: true });
  assert.equal(driver.state, "live");
  assert.equal(driver.view.joinMs, 40, "joining time starts when the stream is live");
  driver.stream("failed", { reason: "camera-lost" });
  assert.deepEqual([driver.state, driver.view.reason], ["failed", "camera-lost"]);
  assert.equal(driver.peer.closed, false, "the peer connection stays");
  await driver.run(30_000);
  assert.equal(driver.sent("restart").length, 0, "no frames are expected");
  driver.stream("live");
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
  driver.receive("bye", { id: 1, reason: "stopped" });
  assert.equal(driver.state, "standby");
  assert.equal(driver.peer.closed, true);
  assert.equal(driver.view.picture, "none");
});

test("audio state and number of viewers do not change the state", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.stream("live", { sound: "lost" });
  driver.receive("viewers", { count: 12 });
  assert.deepEqual([driver.state, driver.view.sound, driver.view.viewers], ["live", "lost", 12]);
});

test("received quality is shown unless there is only one rendition", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  assert.deepEqual([driver.view.quality, driver.view.preference], [null, "auto"]);
  driver.stream("live", { quality: "small" });
  assert.deepEqual([driver.state, driver.view.quality], ["live", "small"]);
  driver.stream("live");
  assert.equal(driver.view.quality, null);
});

test("choice of quality is sent at once and shown", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  for (const want of ["small", "full", "auto"]) {
    driver.viewer.prefer(want);
    assert.deepEqual(driver.sent("quality").at(-1), { type: "quality", want });
    assert.equal(driver.view.preference, want);
  }
  assert.equal(driver.sent("quality").length, 3);
});

test("choice is sent to a new session unless it is auto", async () => {
  const driver = new ViewerDriver({ random: 0 });
  await driver.play();
  for (const want of ["small", "auto"]) {
    driver.viewer.prefer(want);
    await driver.run(600, { frames: true });
    driver.close(1012);
    await driver.run(200);
    driver.welcome("live");
    assert.deepEqual(driver.sent("quality"), want === "auto" ? [] : [{ type: "quality", want }]);
    assert.equal(driver.view.preference, want);
  }
});

test("choice is sent to a resumed session only if it may not have arrived", async () => {
  const driver = new ViewerDriver({ random: 0 });
  const resume = async () => {
    driver.close(1006);
    await driver.run(200, { frames: true });
    driver.welcome("live", { resumed: true });
    return driver.sent("quality").map(({ want }) => want);
  };
  await driver.play();
  driver.viewer.prefer("small");
  await driver.run(6000, { frames: true });
  assert.deepEqual(await resume(), [], "a later heartbeat was answered");
  driver.viewer.prefer("auto");
  assert.deepEqual(await resume(), ["auto"], "it may have been lost with the connection");
  await driver.run(6000, { frames: true });
  driver.close(1006);
  driver.viewer.prefer("full");
  await driver.run(200, { frames: true });
  assert.equal(driver.sent("quality").length, 0, "there is no session yet");
  driver.welcome("live", { resumed: true });
  assert.deepEqual(driver.sent("quality"), [{ type: "quality", want: "full" }]);
});

test("browser that cannot play does not connect", () => {
  const driver = new ViewerDriver({ unplayable: "no-h264" });
  assert.deepEqual([driver.state, driver.view.reason, driver.sockets.length], ["unsupported", "no-h264", 0]);
});

test("leaving the page ends the session; returning from the page cache opens a new one", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.viewer.stop();
  assert.deepEqual([driver.sent("bye").length, driver.socket.dropped, driver.peer.closed], [1, 1000, true]);
  driver.viewer.start();
  assert.equal(driver.state, "connecting");
  driver.welcome();
  assert.deepEqual(driver.sent("hello"), [{ type: "hello" }]);
});

test("latency and statistics are updated once per second and reset with the peer connection", async () => {
  const driver = new ViewerDriver();
  driver.viewer.frame = ((frame) => (now) => frame.call(driver.viewer, now, (now - 50_000) * 90))(driver.viewer.frame);
  await driver.play(1, OFFER_CLOCK);
  await driver.run(3000, { frames: true });
  assert.equal(driver.view.latencyMs, 40);
  assert.ok(driver.view.stats);
  driver.offer(2);
  assert.deepEqual([driver.view.latencyMs, driver.view.stats], [null, null]);
});

test("invalid messages are logged once and ignored", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  for (let i = 0; i < 3; i += 1) {
    driver.receive("chat", { text: "hello" });
    driver.receive("viewers", { count: "many" });
    driver.socket.listener.message("{");
  }
  assert.equal(driver.state, "live");
  assert.equal(driver.log.length, 3);
});

test("playout delay is raised on a lossy network and for a while afterwards", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  await driver.run(2000, { frames: true });
  assert.equal(driver.peer.playoutDelay, 0);
  driver.peer.lost += 5; // of 25 per second
  await driver.run(1200, { frames: true });
  assert.equal(driver.peer.playoutDelay, 350);
  await driver.run(6000, { frames: true });
  assert.equal(driver.peer.playoutDelay, 350);
  await driver.run(4000, { frames: true });
  assert.equal(driver.peer.playoutDelay, 0);
});
