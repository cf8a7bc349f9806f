/** The viewer's reactions to missing frames, failed peer connections and paused playback; with fake time and transports. */

import assert from "node:assert/strict";
import test from "node:test";

import { ViewerDriver } from "./fakes.mjs";

test("without frames but with packets: unstable after 1 s, keyframe after 2 s, restart after 12 s", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  await driver.run(2000, { frames: true });
  await driver.run(960, { packets: true });
  assert.equal(driver.state, "live");
  await driver.run(240, { packets: true });
  assert.equal(driver.state, "unstable");
  assert.equal(driver.view.picture, "still");
  await driver.run(1000, { packets: true });
  assert.equal(driver.sent("keyframe").length, 1);
  await driver.run(8000, { packets: true });
  assert.equal(driver.state, "unstable");
  assert.deepEqual(driver.sent("restart"), []);
  await driver.run(2000, { packets: true });
  assert.equal(driver.state, "reconnecting");
  assert.deepEqual(driver.sent("restart"), [{ type: "restart", id: 1, reason: "decoder" }]);
  driver.offer(2);
  assert.equal(driver.peers[0].closed, true);
  assert.ok(driver.picture.calls.includes("hold"), "the last frame is kept");
  assert.equal(driver.view.picture, "still", "the page dims it");
  driver.peer.listener.network("connected");
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
});

test("without frames and packets: heartbeat, then restart", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  await driver.run(2000, { frames: true });
  const beats = driver.sent("heartbeat").length;
  await driver.run(2200);
  assert.equal(driver.sent("heartbeat").length, beats + 1);
  assert.equal(driver.sent("keyframe").length, 0);
  await driver.run(1000);
  assert.deepEqual(driver.sent("restart"), [{ type: "restart", id: 1, reason: "no-frames" }]);
});

test("frame ends the unstable state", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  await driver.run(1400);
  assert.equal(driver.state, "unstable");
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
});

test("hidden page expects no frames; when shown, connection is probed and a stuck picture revived", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.hidden = true;
  await driver.tick();
  await driver.run(60_000);
  assert.equal(driver.state, "live");
  assert.equal(driver.sent("restart").length, 0);
  driver.hidden = false;
  const beats = driver.sent("heartbeat").length;
  await driver.tick();
  assert.equal(driver.sent("heartbeat").length, beats + 1);
  await driver.run(1200);
  assert.equal(driver.state, "unstable");
  assert.ok(driver.picture.calls.includes("revive"));
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
  assert.equal(driver.sockets.length, 1, "the session is the same");
});

test("ICE disconnected for 2 s causes a restart; a second failure means no route", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.peer.listener.network("disconnected");
  await driver.run(1800, { frames: true });
  assert.equal(driver.sent("restart").length, 0);
  await driver.run(400);
  assert.deepEqual(driver.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
  driver.offer(2);
  driver.peer.listener.network("failed");
  await driver.run(200);
  assert.equal(driver.state, "noroute");
  assert.equal(driver.view.retryIn, 15);
  await driver.run(15_000);
  assert.equal(driver.sent("restart").length, 2);
  assert.equal(driver.state, "noroute", "until there is a frame");
  driver.offer(3);
  driver.peer.listener.network("failed");
  await driver.run(400);
  assert.ok(driver.view.retryIn > 10);
  driver.viewer.fire("page:try");
  assert.equal(driver.state, "connecting");
  assert.deepEqual(driver.sent("restart").at(-1), { type: "restart", id: 3, reason: "ice-failed" });
  driver.offer(4);
  driver.peer.listener.network("connected");
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
});

test("ICE that recovers within 2 s causes no restart", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.peer.listener.network("disconnected");
  await driver.run(1000, { frames: true });
  driver.peer.listener.network("connected");
  await driver.run(3000, { frames: true });
  assert.equal(driver.sent("restart").length, 0);
  assert.equal(driver.state, "live");
});

test("failure reported by daemon and ICE counts once; a frame resets the count", async () => {
  const driver = new ViewerDriver();
  driver.welcome();
  driver.offer(1);
  driver.receive("bye", { id: 1, reason: "no-answer" });
  driver.peer.listener.network("failed");
  await driver.run(400);
  assert.equal(driver.state, "connecting");
  assert.equal(driver.sent("restart").length, 1);
  driver.offer(2);
  driver.peer.listener.network("connected");
  await driver.run(40, { frames: true });
  driver.receive("bye", { id: 2, reason: "lost" });
  assert.equal(driver.state, "reconnecting");
});

test("failure without signaling is reported after resuming", async () => {
  const driver = new ViewerDriver({ random: 0 });
  await driver.play();
  driver.close(1006);
  driver.peer.listener.network("failed");
  await driver.run(200);
  driver.welcome("live", { resumed: true });
  await driver.run(200);
  assert.deepEqual(driver.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
});

test("peer connection that the daemon closed before resuming is restarted", async () => {
  const driver = new ViewerDriver({ random: 0 });
  await driver.play();
  driver.receive("bye", { id: 1, reason: "no-answer" });
  driver.close(1006);
  await driver.run(200);
  driver.welcome("live", { resumed: true });
  assert.deepEqual(driver.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
});

test("peer connection that failed during a stream failure is restarted when the stream is live", async () => {
  const driver = new ViewerDriver();
  driver.welcome();
  driver.offer(1);
  driver.stream("failed", { reason: "camera-lost" });
  driver.receive("bye", { id: 1, reason: "no-answer" });
  await driver.run(10_000);
  assert.equal(driver.sent("restart").length, 0);
  driver.stream("live");
  assert.deepEqual(driver.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
  driver.offer(2);
  driver.stream("live", { sound: "lost" });
  assert.equal(driver.sent("restart").length, 1, "the new peer connection has not failed");
});

test("ignored restart request is repeated until an offer or a frame arrives", async () => {
  const driver = new ViewerDriver();
  driver.welcome();
  driver.offer(1);
  driver.receive("bye", { id: 1, reason: "lost" });
  assert.equal(driver.sent("restart").length, 1);
  await driver.run(2200);
  assert.equal(driver.sent("restart").length, 1);
  await driver.run(400);
  assert.deepEqual(driver.sent("restart").at(-1), { type: "restart", id: 1, reason: "ice-failed" });
  assert.equal(driver.sent("restart").length, 2);
  driver.offer(2);
  await driver.run(8000);
  assert.equal(driver.sent("restart").length, 2);
  driver.peer.listener.network("connected");
  await driver.run(12_400, { packets: true });
  assert.equal(driver.sent("restart").length, 3, "no frames");
  await driver.run(4000, { frames: true });
  assert.equal(driver.sent("restart").length, 3);
});

test("bye for another peer connection is ignored", async () => {
  const driver = new ViewerDriver();
  await driver.play(5);
  driver.receive("bye", { id: 4, reason: "lost" });
  driver.receive("bye", { id: 5, reason: "replaced" });
  assert.equal(driver.state, "live");
});

test("rejected answer: one restart, then unsupported", async () => {
  const driver = new ViewerDriver();
  driver.welcome();
  driver.offer(1);
  driver.receive("error", { code: "bad-answer", message: "no H.264" });
  assert.deepEqual(driver.sent("restart"), [{ type: "restart", id: 1, reason: "decoder" }]);
  driver.offer(2);
  driver.peer.listener.refused(new Error("no codec"));
  assert.deepEqual([driver.state, driver.view.reason], ["unsupported", "bad-answer"]);
  assert.deepEqual([driver.sent("bye").length, driver.socket.dropped, driver.peer.closed], [1, 1000, true]);
  assert.equal(driver.log.length, 2);
});

test("playback refused by the browser starts with a tap", async () => {
  const driver = new ViewerDriver();
  driver.welcome();
  driver.offer();
  driver.peer.listener.network("connected");
  driver.picture.idle = "refused";
  await driver.run(400);
  assert.deepEqual([driver.state, driver.view.reason], ["blocked", "refused"]);
  await driver.run(20_000);
  assert.equal(driver.sent("restart").length, 0, "no frames are expected meanwhile");
  driver.viewer.fire("page:tap");
  assert.ok(driver.picture.calls.includes("play"));
  assert.equal(driver.state, "blocked", "until there is a frame");
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
});

test("paused video stays blocked after reconnecting", async () => {
  const driver = new ViewerDriver({ random: 0 });
  await driver.play();
  driver.picture.idle = "paused";
  await driver.run(400, { frames: true });
  assert.deepEqual([driver.state, driver.view.reason], ["blocked", "paused"]);
  driver.close(1006);
  await driver.run(200);
  driver.welcome("live", { resumed: true });
  await driver.run(200);
  assert.equal(driver.state, "blocked");
});
