/** The thin transports: which browsers can, and where the daemon is. */

import assert from "node:assert/strict";
import test from "node:test";

import { signalingUrl, unplayable } from "../../viewer/transports.mjs";

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
