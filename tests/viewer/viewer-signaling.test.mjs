/** The viewer's reactions to a lost, refused or closed signaling connection; with fake time and transports. */

import assert from "node:assert/strict";
import test from "node:test";

import { ViewerDriver } from "./fakes.mjs";

test("lost WebSocket is resumed without a new peer connection", async () => {
  const driver = new ViewerDriver({ random: 0 });
  await driver.play();
  await driver.run(6000, { frames: true });
  driver.close(1006);
  assert.equal(driver.state, "reconnecting");
  await driver.run(200, { frames: true });
  assert.equal(driver.view.picture, "moving", "the page does not dim it");
  assert.equal(driver.sockets.length, 2);
  driver.welcome("live", { resumed: true });
  assert.deepEqual(driver.sent("hello"), [{ type: "hello", resume: "secret" }]);
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
  assert.equal(driver.peer.closed, false);
  assert.equal(driver.peers.length, 1);
});

test("new session closes the old peer connection and keeps the last frame until the next one", async () => {
  const driver = new ViewerDriver({ random: 0 });
  await driver.play();
  driver.close(1012);
  await driver.run(200);
  driver.welcome("live", { resumed: false, resume: "other" });
  assert.equal(driver.peers[0].closed, true);
  assert.equal(driver.picture.calls.at(-1), "hold");
  assert.equal(driver.state, "reconnecting");
  driver.offer(1);
  driver.peer.listener.network("connected");
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
});

test("session without a peer connection is not resumed", async () => {
  const driver = new ViewerDriver({ random: 0 });
  driver.welcome("offline");
  driver.close(1001);
  await driver.run(200);
  driver.welcome("offline");
  assert.deepEqual(driver.sent("hello"), [{ type: "hello" }]);
});

test("connection is abandoned after two unanswered heartbeats", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  const [old] = driver.sockets;
  await driver.run(10_400, { frames: true, answers: false });
  assert.equal(driver.state, "reconnecting");
  assert.equal(old.dropped, 4002, "1000 and 1001 would end the session");
});

test("requested heartbeat is sent in the message handler", async () => {
  const driver = new ViewerDriver();
  driver.welcome("offline");
  const before = driver.sent("heartbeat").length;
  driver.receive("heartbeat", { now: 1, ask: true });
  assert.equal(driver.sent("heartbeat").length, before + 1);
});

test("attempts are abandoned after 3 s and repeated; daemon is unreachable after 30 s", async () => {
  const driver = new ViewerDriver();
  await driver.run(2800);
  assert.equal(driver.sockets.length, 1);
  await driver.run(200);
  assert.equal(driver.sockets[0].dropped, 4002);
  assert.equal(driver.view.retryIn, 1);
  await driver.run(600);
  assert.equal(driver.sockets.length, 2);
  assert.equal(driver.state, "connecting");
  await driver.run(26_400);
  assert.equal(driver.state, "unreachable");
  await driver.run(10_000);
  assert.equal(driver.state, "unreachable", "also during further attempts");
  assert.ok(driver.sockets.length > 5);
  driver.welcome("offline");
  assert.equal(driver.state, "standby");
});

test("daemon that refuses the page: setting is shown, retry every 15 s", async () => {
  const driver = new ViewerDriver({ refusedBy: "web.origins" });
  driver.close(1006);
  assert.equal(driver.state, "connecting", "until the reason is known");
  await driver.run(200);
  assert.deepEqual([driver.state, driver.view.reason], ["refused", "web.origins"]);
  for (let times = 2; times < 6; times += 1) {
    await driver.run(15_000);
    assert.equal(driver.sockets.length, times);
    driver.close(1006);
    await driver.run(200);
    assert.deepEqual([driver.state, driver.view.reason], ["refused", "web.origins"]);
  }
  driver.refusedBy = "";
  await driver.run(15_000);
  driver.welcome("offline");
  assert.equal(driver.state, "standby");
});

test("daemon that refused the page and has gone is unreachable after 30 s", async () => {
  const driver = new ViewerDriver({ refusedBy: "web.hosts" });
  driver.close(1006);
  await driver.run(200);
  assert.equal(driver.state, "refused");
  driver.refusedBy = "";
  await driver.run(40_000, { answers: false });
  assert.equal(driver.state, "refused");
  await driver.run(10_000, { answers: false });
  assert.equal(driver.state, "unreachable");
});

test("delays grow if the daemon closes each connection at once", async () => {
  const driver = new ViewerDriver();
  const waits = [];
  for (let i = 0; i < 5; i += 1) {
    driver.welcome("offline");
    driver.close(1006);
    waits.push(driver.viewer.signaling.retryAt - driver.time);
    await driver.run(waits.at(-1) + 200);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 3000, 3000]);
});

test("requested retry happens at once", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.close(1006);
  driver.viewer.fire("page:try");
  assert.equal(driver.sockets.length, 2);
  assert.equal(driver.view.retryIn, null);
});

test("several wake-up events cause one attempt at once", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.close(1006);
  driver.viewer.wake();
  driver.viewer.wake();
  assert.equal(driver.sockets.length, 2);
});

test("changed network: current connection is probed for 1.5 s first", async () => {
  const driver = new ViewerDriver({ random: 0 });
  await driver.play();
  await driver.run(2000, { frames: true });
  driver.viewer.wake();
  await driver.run(1400, { frames: true });
  assert.equal(driver.sockets.length, 1);
  driver.receive("heartbeat", { now: 1 });
  driver.viewer.wake();
  await driver.run(1800, { frames: true, answers: false });
  assert.equal(driver.sockets.length, 2);
});

test("after sleep the connection is probed and missing frames are tolerated", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  await driver.run(2000, { frames: true });
  driver.asleep += 3_600_000;
  const beats = driver.sent("heartbeat").length;
  await driver.run(200, { frames: true });
  assert.equal(driver.sent("heartbeat").length, beats + 1);
  assert.equal(driver.sent("restart").length, 0);
});

test("full: limit is shown, retry after 15 s", async () => {
  const driver = new ViewerDriver();
  driver.socket.open();
  driver.receive("error", { code: "full", message: "", limit: 20 });
  driver.close(4003);
  assert.deepEqual([driver.state, driver.view.limit, driver.view.retryIn], ["full", 20, 15]);
  await driver.run(14_800);
  assert.equal(driver.sockets.length, 1);
  await driver.run(400);
  assert.equal(driver.sockets.length, 2);
  assert.equal(driver.state, "full", "the text stays during the attempt");
  driver.welcome("offline");
  assert.equal(driver.state, "standby");
});

test("too many connections: retry every 15 s, daemon is not unreachable", async () => {
  const driver = new ViewerDriver();
  for (let i = 0; i < 4; i += 1) {
    driver.close(4005);
    assert.deepEqual([driver.state, driver.view.reason], ["reconnecting", "4005"]);
    await driver.run(15_200);
  }
  assert.equal(driver.sockets.length, 5);
  assert.equal(driver.state, "reconnecting");
});

test("denied: reason is shown, no retry before a token is entered", async () => {
  const driver = new ViewerDriver();
  driver.socket.open();
  driver.receive("error", { code: "token-wrong", message: "" });
  driver.close(4001);
  assert.deepEqual([driver.state, driver.view.reason], ["denied", "token-wrong"]);
  await driver.run(60_000);
  driver.viewer.wake();
  assert.equal(driver.sockets.length, 1);
  driver.token = "right";
  driver.viewer.fire("page:token");
  driver.welcome("offline");
  assert.deepEqual(driver.sent("hello"), [{ type: "hello", token: "right" }]);
  assert.equal(driver.state, "standby");
});

test("link that expires while watching is not retried", async () => {
  const driver = new ViewerDriver();
  await driver.play();
  driver.receive("error", { code: "token-expired", message: "" });
  driver.close(4001);
  assert.deepEqual([driver.state, driver.view.reason, driver.peer.closed], ["denied", "token-expired", true]);
  await driver.run(60_000);
  driver.viewer.wake();
  assert.equal(driver.sockets.length, 1, "an expired link is not retried");
});

for (const code of [1000, 1003, 1009, 4000, 4004]) {
  test(`close code ${code} stops the page and is shown`, async () => {
    const driver = new ViewerDriver();
    await driver.play();
    driver.close(code);
    assert.deepEqual([driver.state, driver.view.reason], ["stopped", String(code)]);
    assert.equal(driver.peer.closed, true);
    await driver.run(120_000);
    assert.equal(driver.sockets.length, 1);
    driver.viewer.fire("page:try");
    assert.equal(driver.reloads, 1);
  });
}
