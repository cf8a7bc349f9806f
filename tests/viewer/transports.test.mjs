/** Browser support, the daemon's URL, and the wrappers of WebSocket and RTCPeerConnection. */

import assert from "node:assert/strict";
import test from "node:test";

import { Signaling, hasMediaSource, noWebrtc, refusal, socketUrl, unplayable, withStereo } from "../../viewer/transports.mjs";

test("the WebSocket URL is derived from the page's", () => {
  assert.equal(socketUrl("ws", "http://192.168.1.5:8080/?stats=1"), "ws://192.168.1.5:8080/ws");
  assert.equal(socketUrl("ws", "https://cam.example/#t=secret"), "wss://cam.example/ws");
  assert.equal(socketUrl("ws", "https://cam.example/http/garden/?stats=1#t=secret"), "wss://cam.example/http/garden/ws");
  assert.equal(socketUrl("media", "http://cam.example/http/"), "ws://cam.example/http/media");
});

test("the reason of a refused WebSocket is read from a POST response", async (context) => {
  const asked = [];
  const answers = (answer) => { globalThis.fetch = async (...call) => (asked.push(call), answer()); };
  const before = globalThis.fetch;
  context.after(() => { globalThis.fetch = before; });
  answers(() => ({ text: async () => "Pages of that origin are not allowed; this machine's owner can add it to web.origins.\n" }));
  assert.equal(await refusal(), "web.origins");
  assert.deepEqual(asked, [["ws", { method: "POST" }]], "only a POST carries Origin");
  answers(() => ({ text: async () => "This machine does not answer to that name; its owner can add the name to web.hosts.\n" }));
  assert.equal(await refusal(), "web.hosts");
  answers(() => ({ text: async () => "405: Method Not Allowed" }));
  assert.equal(await refusal(), "");
  answers(() => { throw new TypeError("Failed to fetch"); });
  assert.equal(await refusal(), "");
});

test("browsers that cannot play, with the reason", () => {
  const frames = { prototype: { requestVideoFrameCallback() {} } };
  const playing = (...mimeTypes) => ({
    RTCPeerConnection: class {}, HTMLVideoElement: frames,
    RTCRtpReceiver: { getCapabilities: () => ({ codecs: mimeTypes.map((mimeType) => ({ mimeType })) }) },
  });
  const MediaSource = { isTypeSupported: (mime) => mime.includes("avc1") };
  const both = (browser) => [noWebrtc(browser), unplayable(browser), unplayable({ ...browser, MediaSource }), unplayable({ ...browser, ManagedMediaSource: MediaSource })];
  assert.deepEqual(both(playing("video/VP8", "video/H264")), [null, null, null, null]);
  assert.deepEqual(both(playing("video/VP8", "video/AV1")), ["no-h264", "no-h264", null, null]);
  assert.deepEqual(both({ HTMLVideoElement: frames }), ["no-webrtc", "no-webrtc", null, null]);
  assert.deepEqual(both({ RTCPeerConnection: class {}, HTMLVideoElement: class {} }), [null, "too-old", "too-old", "too-old"]);
  assert.deepEqual(both({ RTCPeerConnection: class {}, HTMLVideoElement: frames }), [null, null, null, null]);
  assert.equal(noWebrtc({ RTCPeerConnection: class {}, RTCRtpReceiver: { getCapabilities: () => null } }), null);
  assert.equal(hasMediaSource({ MediaSource: { isTypeSupported: () => false } }), false);
  assert.equal(hasMediaSource({}), false);
});

test("events before listen are delivered in order, and none after drop", (context) => {
  class FakeSocket {
    static OPEN = 1;
    readyState = 1;
    bufferedAmount = 0;
    sent = [];
    send(text) { this.sent.push(text); }
    close() {}
  }
  const before = globalThis.WebSocket;
  context.after(() => { globalThis.WebSocket = before; });
  globalThis.WebSocket = FakeSocket;

  const signaling = new Signaling("ws://pi/ws", () => ({ type: "hello", token: undefined }));
  const { socket } = signaling;
  const received = [];
  const listener = { message: (data) => received.push(data), close: (code) => received.push(code) };
  socket.onopen();
  assert.deepEqual(socket.sent, ['{"type":"hello"}']);
  socket.onmessage({ type: "message", data: "welcome" });
  socket.onclose({ type: "close", code: 4003 });
  signaling.listen(listener);
  assert.deepEqual(received, ["welcome", 4003]);
  socket.onmessage({ type: "message", data: "late" });
  assert.deepEqual(received, ["welcome", 4003, "late"]);

  const other = new Signaling("ws://pi/ws", () => ({ type: "hello" }));
  other.socket.onmessage({ type: "message", data: "first" });
  other.socket.onmessage({ type: "message", data: "second" });
  other.listen({ ...listener, message: () => other.drop(1000) });
  assert.deepEqual(received, ["welcome", 4003, "late"], "dropped before");
  assert.equal(other.socket.onmessage, null);
});

test("answers request stereo", () => {
  const answer = (...opus) => ["a=rtpmap:101 H264/90000", "a=fmtp:101 packetization-mode=1", "a=rtpmap:96 opus/48000/2", ...opus, "a=recvonly", ""].join("\r\n");
  assert.equal(withStereo(answer("a=fmtp:96 minptime=10;useinbandfec=1")), answer("a=fmtp:96 minptime=10;useinbandfec=1;stereo=1"));
  const firefox = answer("a=fmtp:96 maxplaybackrate=48000;stereo=1;useinbandfec=1");
  assert.equal(withStereo(firefox), firefox);
  const sender = "a=fmtp:96 sprop-stereo=1;useinbandfec=1";
  assert.equal(withStereo(answer(sender)), answer(`${sender};stereo=1`), "what is sent is another matter");
  assert.equal(withStereo(answer()), answer(), "without sound");
});
