/** The choice between peer connections and the web; with fake time and transports. */

import assert from "node:assert/strict";
import test from "node:test";

import { MAX_FAILURES, OPEN_TIMEOUT, PATIENCE, RETURN_INTERVAL, TICKET_LIFETIME } from "../../viewer/media-link.mjs";
import { BLOCKED_TIMEOUT } from "../../viewer/peer-link.mjs";
import { ViewerDriver } from "./fakes.mjs";

const MEDIA = { media: { url: "media", ticket: "first" } };
const TICK = 200;

/** Returns a driver whose stream comes over the web because no peer connection works. */
async function overWeb(fields = {}) {
  const driver = new ViewerDriver({ random: 0, ...fields });
  driver.welcome("live", MEDIA);
  driver.offer(1);
  await driver.run(PATIENCE + TICK);
  await showPlayer(driver);
  return driver;
}

async function showPlayer(driver) {
  driver.player.listener.showing();
  driver.player.clock = { rtp: 0, at: driver.time + 960 };
  await driver.run(2 * TICK, { frames: true });
}

test("the stream is requested over the web when no peer connection works after 3 s", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  await driver.run(PATIENCE - TICK);
  assert.equal(driver.players.length, 0);
  await driver.run(2 * TICK);
  assert.deepEqual(driver.players.map(({ grant }) => grant), [{ url: "media", ticket: "first" }]);
  assert.equal(driver.state, "connecting", "nothing is shown yet");
  driver.player.listener.showing();
  await driver.run(TICK);
  assert.deepEqual([driver.state, driver.view.transport], ["connecting", "web"]);
  await driver.run(40, { frames: true });
  assert.equal(driver.state, "live");
  assert.equal(driver.peer.closed, false, "it may still connect");
});

test("a peer connection in time needs no web", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  await driver.run(PATIENCE - 2 * TICK);
  driver.peer.listener.network("connected");
  await driver.run(20_000, { frames: true });
  assert.deepEqual([driver.players.length, driver.view.transport, driver.state], [0, "webrtc", "live"]);
});

for (const noWebrtc of ["no-webrtc", "no-h264"]) {
  test(`${noWebrtc}: the stream is requested over the web at once, and offers are ignored`, async () => {
    const driver = new ViewerDriver({ noWebrtc });
    driver.welcome("live", MEDIA);
    assert.equal(driver.players.length, 1);
    driver.offer(1);
    assert.equal(driver.peers.length, 0);
    await driver.run(0);
    await showPlayer(driver);
    assert.equal(driver.state, "live");
    await driver.run(RETURN_INTERVAL + TICK, { frames: true });
    assert.equal(driver.sent("restart").length, 0);
  });

  test(`${noWebrtc}: unsupported if the daemon does not offer the web`, async () => {
    const driver = new ViewerDriver({ noWebrtc });
    driver.welcome("live");
    assert.deepEqual([driver.state, driver.view.reason], ["unsupported", noWebrtc]);
    assert.equal(driver.socket.dropped, 1000);
  });

  test(`${noWebrtc}: the stream is requested again each time it goes live`, async () => {
    const driver = new ViewerDriver({ noWebrtc });
    driver.welcome("offline", MEDIA);
    await driver.run(60_000);
    assert.deepEqual([driver.players.length, driver.state], [0, "standby"]);
    driver.stream("live");
    await driver.run(2 * TICK);
    assert.equal(driver.sent("media").length, 1, "the first ticket has expired");
    driver.receive("media", { url: "media", ticket: "second" });
    assert.equal(driver.player.grant.ticket, "second");
    await showPlayer(driver);
    driver.stream("offline");
    assert.deepEqual([driver.state, driver.player.closed, driver.view.transport], ["standby", true, "webrtc"]);
  });
}

test("without a media source, WebRTC is the only way", async () => {
  const driver = new ViewerDriver({ hasMediaSource: false });
  driver.welcome("live", MEDIA);
  driver.offer(1);
  driver.receive("bye", { id: 1, reason: "no-answer" });
  driver.offer(2);
  driver.receive("bye", { id: 2, reason: "no-answer" });
  await driver.run(10_000);
  assert.deepEqual([driver.state, driver.players.length], ["noroute", 0]);
});

test("an old ticket is replaced, and the request repeated until there is a new one", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  driver.peer.listener.network("connected");
  await driver.run(TICKET_LIFETIME, { frames: true });
  driver.peer.listener.network("failed");
  await driver.run(PATIENCE + TICK);
  assert.deepEqual([driver.players.length, driver.sent("media").length], [0, 1]);
  await driver.run(3000 + TICK);
  assert.equal(driver.sent("media").length, 2);
  driver.receive("media", { url: "media", ticket: "second" });
  assert.equal(driver.player.grant.ticket, "second");
});

test("two failed peer connections lead to the web at once, not to noroute", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  driver.receive("bye", { id: 1, reason: "no-answer" });
  driver.offer(2);
  driver.receive("bye", { id: 2, reason: "no-answer" });
  await driver.run(TICK);
  assert.equal(driver.players.length, 1);
  assert.equal(driver.state, "connecting");
});

test("no candidates: the stream is requested over the web after 1 s", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  driver.peer.listener.network("blocked");
  await driver.run(BLOCKED_TIMEOUT - TICK);
  assert.equal(driver.players.length, 0);
  await driver.run(2 * TICK);
  assert.equal(driver.players.length, 1);
});

test("no candidates, but the daemon finds the browser", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  driver.peer.listener.network("blocked");
  driver.peer.listener.network("connected");
  await driver.run(5000, { frames: true });
  assert.deepEqual([driver.players.length, driver.state, driver.sent("restart").length], [0, "live", 0]);
});

test("no candidates, and no other way: noroute after 1 s", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live");
  driver.offer(1);
  driver.peer.listener.network("blocked");
  await driver.run(BLOCKED_TIMEOUT + TICK);
  assert.deepEqual([driver.state, driver.view.retryIn], ["noroute", 15]);
});

test("two rejected answers lead to the web, without further attempts with WebRTC", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  driver.peer.listener.refused(new Error("no codec"));
  driver.offer(2);
  driver.peer.listener.refused(new Error("no codec"));
  await driver.run(TICK);
  await showPlayer(driver);
  assert.equal(driver.state, "live");
  const restarts = driver.sent("restart").length;
  await driver.run(RETURN_INTERVAL + TICK, { frames: true });
  assert.equal(driver.sent("restart").length, restarts);
});

test("connected, but neither packets nor frames: restart, and the web at the same time", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  driver.peer.listener.network("connected");
  await driver.run(PATIENCE + 2 * TICK);
  assert.equal(driver.sent("restart").length, 1);
  assert.equal(driver.players.length, 1);
});

test("a frame of the peer connection makes a player superfluous that shows nothing yet", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  driver.offer(1);
  await driver.run(PATIENCE + TICK);
  driver.peer.listener.network("connected");
  await driver.run(40, { frames: true });
  assert.deepEqual([driver.state, driver.player.closed, driver.view.transport], ["live", true, "webrtc"]);
  await driver.run(20_000, { frames: true });
  assert.equal(driver.players.length, 1);
});

test("attempts to return to WebRTC every 30 s do not disturb the picture", async () => {
  const driver = await overWeb();
  const states = driver.states.length;
  const { calls } = driver.picture;
  const before = calls.length;
  for (let id = 2; id < 5; id += 1) {
    const restarts = driver.sent("restart").length;
    await driver.run(RETURN_INTERVAL + 2 * TICK, { frames: true });
    assert.equal(driver.sent("restart").length, restarts + 1);
    driver.offer(id);
    driver.peer.listener.track("video");
    driver.receive("bye", { id, reason: "no-answer" });
    driver.stream("live", { quality: "small" });
    assert.equal(driver.sent("restart").length, restarts + 1, "a message of the stream is no reason");
  }
  assert.equal(driver.states.length, states, "still live");
  assert.deepEqual(calls.slice(before), []);
});

test("hidden page does not try to return", async () => {
  const driver = await overWeb();
  driver.hidden = true;
  await driver.run(2 * RETURN_INTERVAL);
  assert.equal(driver.sent("restart").length, 0);
});

test("another network: WebRTC is tried at once", async () => {
  const driver = await overWeb();
  driver.viewer.wake();
  await driver.run(TICK, { frames: true });
  assert.equal(driver.sent("restart").length, 1);
});

test("the web is left when the peer connection decodes frames, and its last picture is kept until one is shown", async () => {
  const driver = await overWeb();
  const { calls } = driver.picture;
  driver.offer(2);
  driver.peer.listener.track("audio");
  driver.peer.listener.track("video");
  driver.peer.listener.network("connected");
  await driver.run(2000, { frames: true });
  assert.equal(driver.view.transport, "web", "connected is not enough");
  const before = calls.length;
  driver.peer.decoded = 5;
  await driver.run(1200, { frames: true });
  assert.deepEqual(calls.slice(before), ["hold", "show", "show"]);
  assert.deepEqual([driver.player.closed, driver.view.transport, driver.state], [true, "webrtc", "live"]);
  await driver.run(10_000, { frames: true });
  assert.equal(driver.players.length, 1);
});

test("player that ends is replaced at once, later ones after growing delays; a frame resets that", async () => {
  const driver = await overWeb();
  driver.player.listener.lost("close code 1006", false);
  assert.equal(driver.state, "reconnecting");
  assert.ok(driver.picture.calls.includes("hold"));
  await driver.run(TICK);
  assert.equal(driver.sent("media").length, 1);
  driver.receive("media", { url: "media", ticket: "second" });
  await driver.run(TICK);
  await showPlayer(driver);
  assert.equal(driver.state, "live");
  assert.equal(driver.viewer.routes.media.failures, 0);
});

test("noroute is shown when both ways have failed, and the web is tried again with WebRTC", async () => {
  const driver = new ViewerDriver();
  driver.welcome("live", MEDIA);
  for (const id of [1, 2]) {
    driver.offer(id);
    driver.receive("bye", { id, reason: "no-answer" });
  }
  for (let failures = 1; failures <= MAX_FAILURES; failures += 1) {
    await driver.run(TICK);
    if (failures > 1) driver.receive("media", { url: "media", ticket: "second" });
    await driver.run(TICK);
    assert.notEqual(driver.state, "noroute");
    driver.player.listener.lost("close code 1006", false);
  }
  assert.equal(driver.state, "noroute");
  assert.equal(driver.log.at(-1), "the stream over the web has ended: close code 1006");
  const [players, requests] = [driver.players.length, driver.sent("media").length];
  await driver.run(15_000 + TICK);
  assert.ok(driver.sent("media").length > requests);
  driver.receive("media", { url: "media", ticket: "last" });
  await driver.run(TICK);
  assert.equal(driver.players.length, players + 1);
  assert.equal(driver.state, "noroute", "until there is a frame");
  await showPlayer(driver);
  assert.equal(driver.state, "live");
});

test("without WebRTC, an unplayable stream is unsupported", async () => {
  const driver = new ViewerDriver({ noWebrtc: "no-h264" });
  driver.welcome("live", MEDIA);
  driver.player.listener.lost("cannot play video/mp4", true);
  assert.deepEqual([driver.state, driver.view.reason], ["unsupported", "no-h264"]);
});

test("player that shows nothing is given up", async () => {
  const driver = new ViewerDriver({ noWebrtc: "no-webrtc" });
  driver.welcome("live", MEDIA);
  await driver.run(OPEN_TIMEOUT + TICK);
  assert.equal(driver.player.closed, true);
  assert.equal(driver.state, "connecting");
});

test("player without frames: unstable, keyframe, then another player; patiently, because nothing is lost over TCP", async () => {
  const driver = await overWeb();
  await driver.run(1000 + TICK);
  assert.deepEqual([driver.state, driver.view.picture], ["unstable", "still"]);
  await driver.run(1000);
  assert.deepEqual([driver.sent("keyframe").length, driver.viewer.signaling.heartbeat.deadline], [1, Infinity]);
  await driver.run(9000);
  assert.deepEqual([driver.state, driver.player.closed], ["unstable", false]);
  await driver.run(1200);
  assert.equal(driver.state, "reconnecting");
  assert.deepEqual([driver.player.closed, driver.sent("media").length, driver.sent("restart").length], [true, 1, 0]);
});

test("session resumed without frames: the player's connection is replaced, too", async () => {
  const driver = await overWeb();
  await driver.run(1000 + TICK);
  driver.close(1006);
  await driver.run(TICK);
  driver.welcome("live", { media: { url: "media", ticket: "second" }, resumed: true });
  assert.deepEqual([driver.players[0].closed, driver.players.length, driver.player.grant.ticket], [true, 2, "second"]);
});

test("resumed session keeps the player; a new one does not", async () => {
  const driver = await overWeb();
  driver.peers[0].closed = true;
  driver.close(1006);
  await driver.run(TICK, { frames: true });
  driver.welcome("live", { ...MEDIA, resumed: true });
  assert.equal(driver.sent("hello")[0].resume, "secret");
  assert.equal(driver.player.closed, false);
  driver.close(1006);
  await driver.run(TICK, { frames: true });
  driver.welcome("live", { media: { url: "media", ticket: "of the new session" } });
  assert.equal(driver.players[0].closed, true);
  assert.equal(driver.player.grant.ticket, "of the new session", "at once, because WebRTC has not worked");
});

test("resumes a session that has only a player", async () => {
  const driver = new ViewerDriver({ noWebrtc: "no-webrtc", random: 0 });
  driver.welcome("live", MEDIA);
  await driver.run(TICK);
  await showPlayer(driver);
  driver.close(1006);
  await driver.run(TICK, { frames: true });
  driver.welcome("live", { ...MEDIA, resumed: true });
  assert.equal(driver.sent("hello")[0].resume, "secret");
});

test("paused page closes the player, and opens another when it plays again", async () => {
  const driver = await overWeb();
  driver.peer.listener.track("video");
  driver.picture.idle = "paused";
  const before = driver.picture.calls.length;
  await driver.run(TICK);
  assert.deepEqual(driver.picture.calls.slice(before), ["hold"], "a new stream would play");
  assert.deepEqual([driver.state, driver.player.closed], ["blocked", true]);
  await driver.run(60_000);
  assert.deepEqual([driver.players.length, driver.sent("media").length], [1, 0]);
  driver.viewer.fire("page:tap");
  await driver.run(2 * TICK);
  assert.equal(driver.sent("media").length, 1);
  driver.receive("media", { url: "media", ticket: "second" });
  await driver.run(TICK);
  await showPlayer(driver);
  assert.equal(driver.state, "live");
});

test("statistics and latency of the stream over the web", async () => {
  const driver = await overWeb();
  const zero = driver.time;
  driver.player.clock = { rtp: 0, at: zero + 960 };
  const frame = driver.viewer.frame;
  driver.viewer.frame = (now) => frame.call(driver.viewer, now, (now - zero) * 90);
  await driver.run(2000, { frames: true });
  assert.equal(driver.view.latencyMs, 40);
  assert.deepEqual([driver.view.stats.route, driver.view.stats.trip], ["web", 0]);
});

test("leaving the page closes the player", async () => {
  const driver = await overWeb();
  driver.viewer.stop();
  assert.deepEqual([driver.player.closed, driver.socket.dropped], [true, 1000]);
});
