/** The thin transports: which browsers can, and where the daemon is. */

import assert from "node:assert/strict";
import test from "node:test";

import { Signaling, signalingUrl, unplayable } from "../../viewer/transports.mjs";

test("the WebSocket is where the page came from", () => {
  assert.equal(signalingUrl({ protocol: "http:", host: "192.168.1.5:8080" }), "ws://192.168.1.5:8080/ws");
  assert.equal(signalingUrl({ protocol: "https:", host: "cam.example" }), "wss://cam.example/ws");
});

test("browsers that cannot play, and why", () => {
  const frames = { prototype: { requestVideoFrameCallback() {} } };
  const playing = (...mimeTypes) => ({
    RTCPeerConnection: class {}, HTMLVideoElement: frames,
    RTCRtpReceiver: { getCapabilities: () => ({ codecs: mimeTypes.map((mimeType) => ({ mimeType })) }) },
  });
  assert.equal(unplayable(playing("video/VP8", "video/H264")), null);
  assert.equal(unplayable(playing("video/VP8", "video/AV1")), "no-h264");
  assert.equal(unplayable({ HTMLVideoElement: frames }), "no-webrtc");
  assert.equal(unplayable({ RTCPeerConnection: class {}, HTMLVideoElement: class {} }), "too-old");
  assert.equal(unplayable({ RTCPeerConnection: class {}, HTMLVideoElement: frames }), null);
  assert.equal(unplayable({ RTCPeerConnection: class {}, HTMLVideoElement: frames, RTCRtpReceiver: { getCapabilities: () => null } }), null);
});

test("what comes before anybody listens is heard in its order, and after a drop nothing", (context) => {
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
  const heard = [];
  const listener = { message: (data) => heard.push(data), close: (code) => heard.push(code) };
  socket.onopen();
  assert.deepEqual(socket.sent, ['{"type":"hello"}']);
  socket.onmessage({ type: "message", data: "welcome" });
  socket.onclose({ type: "close", code: 4003 });
  signaling.listen(listener);
  assert.deepEqual(heard, ["welcome", 4003]);
  socket.onmessage({ type: "message", data: "late" });
  assert.deepEqual(heard, ["welcome", 4003, "late"]);

  const other = new Signaling("ws://pi/ws", () => ({ type: "hello" }));
  other.socket.onmessage({ type: "message", data: "first" });
  other.socket.onmessage({ type: "message", data: "second" });
  other.listen({ ...listener, message: () => other.drop(1000) });
  assert.deepEqual(heard, ["welcome", 4003, "late"], "the drop came between");
  assert.equal(other.socket.onmessage, null);
});
