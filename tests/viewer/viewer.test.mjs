/** Whole stories of one viewer, with fake time and fake transports. */

import assert from "node:assert/strict";
import test from "node:test";

import { Stage } from "./fakes.mjs";

const OFFER_CLOCK = { clock: { rtp: 0, at: 50_000 + 960 } };

test("from opening to LIVE: hello, answer at once, candidates after it, LIVE with the first frame", async () => {
  const stage = new Stage({ token: "t0ken" });
  stage.welcome();
  assert.deepEqual(stage.sent("hello"), [{ type: "hello", token: "t0ken" }]);
  stage.offer(7);
  stage.peer.listener.answer("v=0 answer");
  stage.peer.listener.candidate({ candidate: "candidate:1 1 udp 1 192.168.1.7 5000 typ host" });
  stage.peer.listener.candidate(null);
  assert.deepEqual(stage.sent("answer"), [{ type: "answer", id: 7, sdp: "v=0 answer" }]);
  assert.deepEqual(stage.sent("candidate").map(({ id, candidate }) => [id, candidate?.candidate?.slice(0, 9) ?? null]), [[7, "candidate"], [7, null]]);
  stage.peer.listener.network("connected");
  await stage.run(400);
  assert.equal(stage.state, "connecting", "connected is not yet live");
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
  assert.deepEqual(stage.states, ["connecting", "live"]);
  assert.equal(stage.view.joinMs, 440);
  assert.equal(stage.view.picture, "moving");
});

test("the stream's states, told one after the other", async () => {
  const stage = new Stage();
  stage.welcome("offline");
  assert.equal(stage.state, "standby");
  stage.stream("starting");
  assert.equal(stage.state, "starting");
  await stage.run(60_000);
  stage.stream("live");
  assert.equal(stage.state, "connecting");
  stage.offer();
  stage.peer.listener.network("connected");
  await stage.run(120, { frames: true });
  assert.equal(stage.state, "live");
  assert.equal(stage.view.joinMs, 40, "joining begins when there is something to join");
  stage.stream("failed", { reason: "camera-lost" });
  assert.deepEqual([stage.state, stage.view.reason], ["failed", "camera-lost"]);
  assert.equal(stage.peer.closed, false, "the peer connection stays");
  await stage.run(30_000);
  assert.equal(stage.sent("restart").length, 0, "and nobody misses frames");
  stage.stream("live");
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
  stage.hear("bye", { id: 1, reason: "stopped" });
  assert.equal(stage.state, "standby");
  assert.equal(stage.peer.closed, true);
  assert.equal(stage.view.picture, "none");
});

test("sound and viewers are no change of state", async () => {
  const stage = new Stage();
  await stage.play();
  stage.stream("live", { sound: "lost" });
  stage.hear("viewers", { count: 12 });
  assert.deepEqual([stage.state, stage.view.sound, stage.view.viewers], ["live", "lost", 12]);
});

test("the quality is shown as the daemon tells it, and not shown where there is only one", async () => {
  const stage = new Stage();
  await stage.play();
  assert.deepEqual([stage.view.quality, stage.view.preference], [null, "auto"]);
  stage.stream("live", { quality: "small" });
  assert.deepEqual([stage.state, stage.view.quality], ["live", "small"]);
  stage.stream("live");
  assert.equal(stage.view.quality, null);
});

test("a choice of quality is sent at once, and shown", async () => {
  const stage = new Stage();
  await stage.play();
  for (const want of ["small", "full", "auto"]) {
    stage.viewer.prefer(want);
    assert.deepEqual(stage.sent("quality").at(-1), { type: "quality", want });
    assert.equal(stage.view.preference, want);
  }
  assert.equal(stage.sent("quality").length, 3);
});

test("a new session is told the choice, unless it is auto", async () => {
  const stage = new Stage({ random: 0 });
  await stage.play();
  for (const want of ["small", "auto"]) {
    stage.viewer.prefer(want);
    await stage.run(600, { frames: true });
    stage.close(1012);
    await stage.run(200);
    stage.welcome("live");
    assert.deepEqual(stage.sent("quality"), want === "auto" ? [] : [{ type: "quality", want }]);
    assert.equal(stage.view.preference, want);
  }
});

test("a resumed session is told only what it may not know", async () => {
  const stage = new Stage({ random: 0 });
  const resume = async () => {
    stage.close(1006);
    await stage.run(200, { frames: true });
    stage.welcome("live", { resumed: true });
    return stage.sent("quality").map(({ want }) => want);
  };
  await stage.play();
  stage.viewer.prefer("small");
  await stage.run(6000, { frames: true });
  assert.deepEqual(await resume(), [], "a later heartbeat was answered");
  stage.viewer.prefer("auto");
  assert.deepEqual(await resume(), ["auto"], "perhaps it was lost with the connection");
  await stage.run(6000, { frames: true });
  stage.close(1006);
  stage.viewer.prefer("full");
  await stage.run(200, { frames: true });
  assert.equal(stage.sent("quality").length, 0, "there is nobody to tell yet");
  stage.welcome("live", { resumed: true });
  assert.deepEqual(stage.sent("quality"), [{ type: "quality", want: "full" }]);
});

test("no frame for 1 s: weak; 2 s with packets: keyframe; 12 s: a new peer connection", async () => {
  const stage = new Stage();
  await stage.play();
  await stage.run(2000, { frames: true });
  await stage.run(960, { packets: true });
  assert.equal(stage.state, "live");
  await stage.run(240, { packets: true });
  assert.equal(stage.state, "unstable");
  assert.equal(stage.view.picture, "still");
  await stage.run(1000, { packets: true });
  assert.equal(stage.sent("keyframe").length, 1);
  await stage.run(8000, { packets: true });
  assert.equal(stage.state, "unstable");
  assert.deepEqual(stage.sent("restart"), []);
  await stage.run(2000, { packets: true });
  assert.equal(stage.state, "reconnecting");
  assert.deepEqual(stage.sent("restart"), [{ type: "restart", id: 1, reason: "decoder" }]);
  stage.offer(2);
  assert.equal(stage.peers[0].closed, true);
  assert.ok(stage.picture.calls.includes("hold"), "the last picture stays");
  assert.equal(stage.view.picture, "still", "dimmed");
  stage.peer.listener.network("connected");
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
});

test("no frame and no packets: the connection is asked, then a new peer connection", async () => {
  const stage = new Stage();
  await stage.play();
  await stage.run(2000, { frames: true });
  const beats = stage.sent("heartbeat").length;
  await stage.run(2200);
  assert.equal(stage.sent("heartbeat").length, beats + 1);
  assert.equal(stage.sent("keyframe").length, 0);
  await stage.run(1000);
  assert.deepEqual(stage.sent("restart"), [{ type: "restart", id: 1, reason: "no-frames" }]);
});

test("a frame brings a weak picture back to LIVE", async () => {
  const stage = new Stage();
  await stage.play();
  await stage.run(1400);
  assert.equal(stage.state, "unstable");
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
});

test("the WebSocket is cut, media goes on: resumed, and LIVE without a new offer", async () => {
  const stage = new Stage({ random: 0 });
  await stage.play();
  await stage.run(6000, { frames: true });
  stage.close(1006);
  assert.equal(stage.state, "reconnecting");
  await stage.run(200, { frames: true });
  assert.equal(stage.view.picture, "moving", "which the page does not dim");
  assert.equal(stage.sockets.length, 2);
  stage.welcome("live", { resumed: true });
  assert.deepEqual(stage.sent("hello"), [{ type: "hello", resume: "secret" }]);
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
  assert.equal(stage.peer.closed, false);
  assert.equal(stage.peers.length, 1);
});

test("the session is gone: the old peer connection is closed, the picture held, and a new offer makes it live", async () => {
  const stage = new Stage({ random: 0 });
  await stage.play();
  stage.close(1012);
  await stage.run(200);
  stage.welcome("live", { resumed: false, resume: "other" });
  assert.equal(stage.peers[0].closed, true);
  assert.equal(stage.picture.calls.at(-1), "hold");
  assert.equal(stage.state, "reconnecting");
  stage.offer(1);
  stage.peer.listener.network("connected");
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
});

test("without a peer connection there is nothing to resume", async () => {
  const stage = new Stage({ random: 0 });
  stage.welcome("offline");
  stage.close(1001);
  await stage.run(200);
  stage.welcome("offline");
  assert.deepEqual(stage.sent("hello"), [{ type: "hello" }]);
});

test("two heartbeats without an answer: the connection is dead, and its late words are not heard", async () => {
  const stage = new Stage();
  await stage.play();
  const [old] = stage.sockets;
  await stage.run(10_400, { frames: true, answers: false });
  assert.equal(stage.state, "reconnecting");
  assert.equal(old.dropped, 4002, "neither 1000 nor 1001: those would end the session");
});

test("the daemon's asking is answered inside the message handler", async () => {
  const stage = new Stage();
  stage.welcome("offline");
  const before = stage.sent("heartbeat").length;
  stage.hear("heartbeat", { now: 1, ask: true });
  assert.equal(stage.sent("heartbeat").length, before + 1);
});

test("attempts are given up after 3 s, come again by the ladder, and after 30 s nobody is there", async () => {
  const stage = new Stage();
  await stage.run(2800);
  assert.equal(stage.sockets.length, 1);
  await stage.run(200);
  assert.equal(stage.sockets[0].dropped, 4002);
  assert.equal(stage.view.retryIn, 1);
  await stage.run(600);
  assert.equal(stage.sockets.length, 2);
  assert.equal(stage.state, "connecting");
  await stage.run(26_400);
  assert.equal(stage.state, "unreachable");
  await stage.run(10_000);
  assert.equal(stage.state, "unreachable", "and it stays so while trying");
  assert.ok(stage.sockets.length > 5);
  stage.welcome("offline");
  assert.equal(stage.state, "standby");
});

test("a daemon that refuses the page's address is not unreachable: which setting it is, and a try every 15 s", async () => {
  const stage = new Stage({ setting: "web.origins" });
  stage.close(1006);
  assert.equal(stage.state, "connecting", "until it is known why");
  await stage.run(200);
  assert.deepEqual([stage.state, stage.view.reason], ["refused", "web.origins"]);
  for (let times = 2; times < 6; times += 1) {
    await stage.run(15_000);
    assert.equal(stage.sockets.length, times);
    stage.close(1006);
    await stage.run(200);
    assert.deepEqual([stage.state, stage.view.reason], ["refused", "web.origins"]);
  }
  stage.setting = "";
  await stage.run(15_000);
  stage.welcome("offline");
  assert.equal(stage.state, "standby");
});

test("a daemon that refused and is gone is unreachable after 30 s", async () => {
  const stage = new Stage({ setting: "web.hosts" });
  stage.close(1006);
  await stage.run(200);
  assert.equal(stage.state, "refused");
  stage.setting = "";
  await stage.run(40_000, { answers: false });
  assert.equal(stage.state, "refused");
  await stage.run(10_000, { answers: false });
  assert.equal(stage.state, "unreachable");
});

test("a daemon that drops everybody at once is not hammered", async () => {
  const stage = new Stage();
  const waits = [];
  for (let i = 0; i < 5; i += 1) {
    stage.welcome("offline");
    stage.close(1006);
    waits.push(stage.viewer.link.retryAt - stage.time);
    await stage.run(waits.at(-1) + 200);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 3000, 3000]);
});

test("a wish to try now is done now", async () => {
  const stage = new Stage();
  await stage.play();
  stage.close(1006);
  stage.viewer.fire("page:try");
  assert.equal(stage.sockets.length, 2);
  assert.equal(stage.view.retryIn, null);
});

test("the network is back: whoever is not connected tries at once, one attempt for a burst of signs", async () => {
  const stage = new Stage();
  await stage.play();
  stage.close(1006);
  stage.viewer.wake();
  stage.viewer.wake();
  assert.equal(stage.sockets.length, 2);
});

test("the network changed: the old connection is tried first, for 1.5 s", async () => {
  const stage = new Stage({ random: 0 });
  await stage.play();
  await stage.run(2000, { frames: true });
  stage.viewer.wake();
  await stage.run(1400, { frames: true });
  assert.equal(stage.sockets.length, 1);
  stage.hear("heartbeat", { now: 1 });
  stage.viewer.wake();
  await stage.run(1800, { frames: true, answers: false });
  assert.equal(stage.sockets.length, 2);
});

test("the machine slept: the connection is asked, frames are given time", async () => {
  const stage = new Stage();
  await stage.play();
  await stage.run(2000, { frames: true });
  stage.asleep += 3_600_000;
  const beats = stage.sent("heartbeat").length;
  await stage.run(200, { frames: true });
  assert.equal(stage.sent("heartbeat").length, beats + 1);
  assert.equal(stage.sent("restart").length, 0);
});

test("hidden: no frames are missed; shown again: the connection is asked, and a stuck picture is handed over anew", async () => {
  const stage = new Stage();
  await stage.play();
  stage.hidden = true;
  await stage.tick();
  await stage.run(60_000);
  assert.equal(stage.state, "live");
  assert.equal(stage.sent("restart").length, 0);
  stage.hidden = false;
  const beats = stage.sent("heartbeat").length;
  await stage.tick();
  assert.equal(stage.sent("heartbeat").length, beats + 1);
  await stage.run(1200);
  assert.equal(stage.state, "unstable");
  assert.ok(stage.picture.calls.includes("revive"));
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
  assert.equal(stage.sockets.length, 1, "still the same session");
});

test("ICE: disconnected waits 2 s, then a restart; a second failure is no route, tried again seldom", async () => {
  const stage = new Stage();
  await stage.play();
  stage.peer.listener.network("disconnected");
  await stage.run(1800, { frames: true });
  assert.equal(stage.sent("restart").length, 0);
  await stage.run(400);
  assert.deepEqual(stage.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
  stage.offer(2);
  stage.peer.listener.network("failed");
  await stage.run(200);
  assert.equal(stage.state, "noroute");
  assert.equal(stage.view.retryIn, 15);
  await stage.run(15_000);
  assert.equal(stage.sent("restart").length, 2);
  assert.equal(stage.state, "noroute", "the words stay until there is a picture");
  stage.offer(3);
  stage.peer.listener.network("failed");
  await stage.run(400);
  assert.ok(stage.view.retryIn > 10);
  stage.viewer.fire("page:try");
  assert.equal(stage.state, "connecting");
  assert.deepEqual(stage.sent("restart").at(-1), { type: "restart", id: 3, reason: "ice-failed" });
  stage.offer(4);
  stage.peer.listener.network("connected");
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
});

test("ICE that mends itself within 2 s is left alone", async () => {
  const stage = new Stage();
  await stage.play();
  stage.peer.listener.network("disconnected");
  await stage.run(1000, { frames: true });
  stage.peer.listener.network("connected");
  await stage.run(3000, { frames: true });
  assert.equal(stage.sent("restart").length, 0);
  assert.equal(stage.state, "live");
});

test("one failure is counted once, whoever says it; a frame forgives", async () => {
  const stage = new Stage();
  stage.welcome();
  stage.offer(1);
  stage.hear("bye", { id: 1, reason: "no-answer" });
  stage.peer.listener.network("failed");
  await stage.run(400);
  assert.equal(stage.state, "connecting");
  assert.equal(stage.sent("restart").length, 1);
  stage.offer(2);
  stage.peer.listener.network("connected");
  await stage.run(40, { frames: true });
  stage.hear("bye", { id: 2, reason: "lost" });
  assert.equal(stage.state, "reconnecting");
});

test("a connection that failed while nobody could be told is told of after the take-over", async () => {
  const stage = new Stage({ random: 0 });
  await stage.play();
  stage.close(1006);
  stage.peer.listener.network("failed");
  await stage.run(200);
  stage.welcome("live", { resumed: true });
  await stage.run(200);
  assert.deepEqual(stage.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
});

test("and so is one that the daemon had given up", async () => {
  const stage = new Stage({ random: 0 });
  await stage.play();
  stage.hear("bye", { id: 1, reason: "no-answer" });
  stage.close(1006);
  await stage.run(200);
  stage.welcome("live", { resumed: true });
  assert.deepEqual(stage.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
});

test("a connection that failed while the stream had is told of when that goes on", async () => {
  const stage = new Stage();
  stage.welcome();
  stage.offer(1);
  stage.stream("failed", { reason: "camera-lost" });
  stage.hear("bye", { id: 1, reason: "no-answer" });
  await stage.run(10_000);
  assert.equal(stage.sent("restart").length, 0);
  stage.stream("live");
  assert.deepEqual(stage.sent("restart"), [{ type: "restart", id: 1, reason: "ice-failed" }]);
  stage.offer(2);
  stage.stream("live", { sound: "lost" });
  assert.equal(stage.sent("restart").length, 1, "the new one has not failed");
});

test("a restart that the daemon did not heed is repeated, until there is an offer or a frame", async () => {
  const stage = new Stage();
  stage.welcome();
  stage.offer(1);
  stage.hear("bye", { id: 1, reason: "lost" });
  assert.equal(stage.sent("restart").length, 1);
  await stage.run(2200);
  assert.equal(stage.sent("restart").length, 1);
  await stage.run(400);
  assert.deepEqual(stage.sent("restart").at(-1), { type: "restart", id: 1, reason: "ice-failed" });
  assert.equal(stage.sent("restart").length, 2);
  stage.offer(2);
  await stage.run(8000);
  assert.equal(stage.sent("restart").length, 2);
  stage.peer.listener.network("connected");
  await stage.run(12_400, { packets: true });
  assert.equal(stage.sent("restart").length, 3, "no frames");
  await stage.run(4000, { frames: true });
  assert.equal(stage.sent("restart").length, 3);
});

test("words about another peer connection are not heeded", async () => {
  const stage = new Stage();
  await stage.play(5);
  stage.hear("bye", { id: 4, reason: "lost" });
  stage.hear("bye", { id: 5, reason: "replaced" });
  assert.equal(stage.state, "live");
});

test("full: waits 15 s, says how many places, and tries again", async () => {
  const stage = new Stage();
  stage.socket.open();
  stage.hear("error", { code: "full", message: "", limit: 20 });
  stage.close(4003);
  assert.deepEqual([stage.state, stage.view.limit, stage.view.retryIn], ["full", 20, 15]);
  await stage.run(14_800);
  assert.equal(stage.sockets.length, 1);
  await stage.run(400);
  assert.equal(stage.sockets.length, 2);
  assert.equal(stage.state, "full", "the words stay while it asks");
  stage.welcome("offline");
  assert.equal(stage.state, "standby");
});

test("too many: waits 15 s; a daemon that answers is not unreachable", async () => {
  const stage = new Stage();
  for (let i = 0; i < 4; i += 1) {
    stage.close(4005);
    assert.deepEqual([stage.state, stage.view.reason], ["reconnecting", "4005"]);
    await stage.run(15_200);
  }
  assert.equal(stage.sockets.length, 5);
  assert.equal(stage.state, "reconnecting");
});

test("denied: says why, waits for a token, and does not try by itself", async () => {
  const stage = new Stage();
  stage.socket.open();
  stage.hear("error", { code: "token-wrong", message: "" });
  stage.close(4001);
  assert.deepEqual([stage.state, stage.view.reason], ["denied", "token-wrong"]);
  await stage.run(60_000);
  stage.viewer.wake();
  assert.equal(stage.sockets.length, 1);
  stage.token = "right";
  stage.viewer.fire("page:token");
  stage.welcome("offline");
  assert.deepEqual(stage.sent("hello"), [{ type: "hello", token: "right" }]);
  assert.equal(stage.state, "standby");
});

test("the link's time ends while watching", async () => {
  const stage = new Stage();
  await stage.play();
  stage.hear("error", { code: "token-expired", message: "" });
  stage.close(4001);
  assert.deepEqual([stage.state, stage.view.reason, stage.peer.closed], ["denied", "token-expired", true]);
  await stage.run(60_000);
  stage.viewer.wake();
  assert.equal(stage.sockets.length, 1, "a link that has ended is not tried again");
});

for (const code of [1000, 1003, 1009, 4000, 4004]) {
  test(`closed with ${code}: stops, and says which`, async () => {
    const stage = new Stage();
    await stage.play();
    stage.close(code);
    assert.deepEqual([stage.state, stage.view.reason], ["stopped", String(code)]);
    assert.equal(stage.peer.closed, true);
    await stage.run(120_000);
    assert.equal(stage.sockets.length, 1);
    stage.viewer.fire("page:try");
    assert.equal(stage.reloads, 1);
  });
}

test("no common format: asked once more, then said", async () => {
  const stage = new Stage();
  stage.welcome();
  stage.offer(1);
  stage.hear("error", { code: "bad-answer", message: "no H.264" });
  assert.deepEqual(stage.sent("restart"), [{ type: "restart", id: 1, reason: "decoder" }]);
  stage.offer(2);
  stage.peer.listener.refused(new Error("no codec"));
  assert.deepEqual([stage.state, stage.view.reason], ["unsupported", "bad-answer"]);
  assert.deepEqual([stage.sent("bye").length, stage.socket.dropped, stage.peer.closed], [1, 1000, true]);
  assert.equal(stage.log.length, 2);
});

test("a browser that cannot play asks nobody", () => {
  const stage = new Stage({ why: "no-h264" });
  assert.deepEqual([stage.state, stage.view.reason, stage.sockets.length], ["unsupported", "no-h264", 0]);
});

test("refused to play: a tap does it", async () => {
  const stage = new Stage();
  stage.welcome();
  stage.offer();
  stage.peer.listener.network("connected");
  stage.picture.idle = "refused";
  await stage.run(400);
  assert.deepEqual([stage.state, stage.view.reason], ["blocked", "refused"]);
  await stage.run(20_000);
  assert.equal(stage.sent("restart").length, 0, "no frame is missed meanwhile");
  stage.viewer.fire("page:tap");
  assert.ok(stage.picture.calls.includes("play"));
  assert.equal(stage.state, "blocked", "a tap is not yet a picture");
  await stage.run(40, { frames: true });
  assert.equal(stage.state, "live");
});

test("paused is not live, not even when the connection was lost meanwhile", async () => {
  const stage = new Stage({ random: 0 });
  await stage.play();
  stage.picture.idle = "paused";
  await stage.run(400, { frames: true });
  assert.deepEqual([stage.state, stage.view.reason], ["blocked", "paused"]);
  stage.close(1006);
  await stage.run(200);
  stage.welcome("live", { resumed: true });
  await stage.run(200);
  assert.equal(stage.state, "blocked");
});

test("the page goes: session and peer connection end; back from the page cache it is a new viewer", async () => {
  const stage = new Stage();
  await stage.play();
  stage.viewer.stop();
  assert.deepEqual([stage.sent("bye").length, stage.socket.dropped, stage.peer.closed], [1, 1000, true]);
  stage.viewer.start();
  assert.equal(stage.state, "connecting");
  stage.welcome();
  assert.deepEqual(stage.sent("hello"), [{ type: "hello" }]);
});

test("latency and figures, once a second; none of a connection that is over", async () => {
  const stage = new Stage();
  stage.viewer.frame = ((frame) => (now) => frame.call(stage.viewer, now, (now - 50_000) * 90))(stage.viewer.frame);
  await stage.play(1, OFFER_CLOCK);
  await stage.run(3000, { frames: true });
  assert.equal(stage.view.latencyMs, 40);
  assert.ok(stage.view.stats);
  stage.offer(2);
  assert.deepEqual([stage.view.latencyMs, stage.view.stats], [null, null]);
});

test("what is not understood is said once, and changes nothing", async () => {
  const stage = new Stage();
  await stage.play();
  for (let i = 0; i < 3; i += 1) {
    stage.hear("chat", { text: "hello" });
    stage.hear("viewers", { count: "many" });
    stage.socket.listener.message("{");
  }
  assert.equal(stage.state, "live");
  assert.equal(stage.log.length, 3);
});

test("on a lossy network pictures wait for what comes again, and for a while after", async () => {
  const stage = new Stage();
  await stage.play();
  await stage.run(2000, { frames: true });
  assert.equal(stage.peer.held, 0);
  stage.peer.lost += 5; // of 25 a second
  await stage.run(1200, { frames: true });
  assert.equal(stage.peer.held, 350);
  await stage.run(6000, { frames: true });
  assert.equal(stage.peer.held, 350);
  await stage.run(4000, { frames: true });
  assert.equal(stage.peer.held, 0);
});
