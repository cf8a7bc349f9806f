/** Thin wrappers around WebSocket and RTCPeerConnection. */

import { SUBPROTOCOL, isUsefulCandidate } from "./protocol.mjs";

/** One WebSocket. Messages are queued until `listen`; after `drop`, neither messages nor the close event are reported. */
export class Signaling {
  /** @param {string} url @param {() => Outgoing} hello  returns the first message */
  constructor(url, hello) {
    /** @type {any[]} */
    this.waiting = [];
    this.socket = new WebSocket(url, SUBPROTOCOL);
    this.socket.onopen = () => this.send(hello());
    this.socket.onmessage = this.socket.onclose = (/** @type {Event} */ event) => void this.waiting.push(event);
  }

  /** @param {SignalingListener} listener  also receives earlier events */
  listen(listener) {
    this.socket.onmessage = (event) => listener.message(event.data);
    this.socket.onclose = (event) => listener.close(event.code);
    for (const event of this.waiting) this.socket[event.type === "close" ? "onclose" : "onmessage"]?.(event);
  }

  /** Bytes in the send buffer (`WebSocket.bufferedAmount`). */
  get buffered() {
    return this.socket.bufferedAmount;
  }

  /** Sends a message; returns false if the socket is not open. @param {Outgoing} message */
  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message)); // omits undefined fields
    return true;
  }

  /** Closes the socket and removes all listeners. @param {number} code  1000, or 3000 and above */
  drop(code) {
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(code);
  }
}

/** Returns the URL of a WebSocket of the daemon. @param {string} path  relative to the page @param {string} page  URL of the page */
export function socketUrl(path, page) {
  return new URL(path, page.replace(/#.*/, "")).href.replace("http", "ws");
}

/** Returns the setting because of which the daemon refuses this page, or "". A failed WebSocket gives no reason; a POST does. */
export async function refusal() {
  const answer = await fetch("ws", { method: "POST" }).then((response) => response.text(), String);
  return answer.match(/web\.(hosts|origins)/)?.[0] ?? "";
}

/** Time in ms after which ICE state `disconnected` counts as failed; it often recovers by itself. */
export const DISCONNECTED = 2000;

/** @type {RTCPeerConnection | null} */
let spare = null;

/** Creates the first peer connection in advance: that takes 20 ms, during which the WebSocket opens. */
export function warmUp() {
  if (globalThis.RTCPeerConnection) spare = makeConnection([]);
}

/** @param {RTCIceServer[]} iceServers */
function makeConnection(iceServers) {
  /** @type {RTCConfiguration} */
  const settings = { iceServers, bundlePolicy: "max-bundle" };
  const connection = spare ?? new RTCPeerConnection(settings);
  connection.setConfiguration(settings);
  spare = null;
  return connection;
}

/** libwebrtc plays Opus in mono unless the answer contains `stereo=1` (RFC 7587 §6.1). @param {string} sdp */
export const withStereo = (sdp) => sdp.replace(/^a=fmtp:(?=.*useinbandfec)(?!.*[ ;]stereo=).*/gm, "$&;stereo=1");

/** A peer connection for one offer. */
export class Peer {
  /** @param {Offer} offer @param {PeerListener} listener */
  constructor(offer, listener) {
    this.id = offer.id;
    this.clock = offer.clock ?? null;
    this.listener = listener;
    this.hasCandidates = false;
    this.connection = makeConnection(offer.ice_servers);
    this.connection.ontrack = ({ track }) => (this.setPlayoutDelay(0), listener.track(track));
    this.connection.onicecandidate = (event) => this.#candidate(event.candidate);
    this.connection.oniceconnectionstatechange = this.connection.onconnectionstatechange = () => this.#network();
    this.#answer(offer.sdp).catch((error) => this.connection.signalingState !== "closed" && listener.refused(error));
  }

  /** Answers at once; candidates are sent as they are gathered. @param {string} sdp */
  async #answer(sdp) {
    await this.connection.setRemoteDescription({ type: "offer", sdp });
    const answer = await this.connection.createAnswer();
    const stereo = withStereo(answer.sdp ?? "");
    // Browsers that reject a modified answer play mono.
    await this.connection.setLocalDescription({ type: "answer", sdp: stereo }).catch(() => this.connection.setLocalDescription(answer));
    this.listener.answer(stereo);
  }

  /** Sets the playout delay of the video, in small steps, because a large one is a freeze. @param {number} ms */
  setPlayoutDelay(ms) {
    const video = this.connection.getReceivers().find(({ track }) => track.kind === "video");
    if (video) video.jitterBufferTarget = Math.min(ms, (video.jitterBufferTarget ?? 0) + 120);
  }

  /** @param {RTCIceCandidate | null} candidate */
  #candidate(candidate) {
    this.hasCandidates ||= Boolean(candidate?.candidate);
    if (!candidate && !this.hasCandidates) this.listener.network("blocked");
    if (!candidate?.candidate) this.listener.candidate(null);
    else if (isUsefulCandidate(candidate.candidate)) this.listener.candidate(candidate.toJSON());
  }

  /** `iceConnectionState` changes sooner, but a failed DTLS handshake is only visible in `connectionState`. */
  #network() {
    const { iceConnectionState: ice, connectionState } = this.connection;
    if (ice === "failed" || connectionState === "failed") this.listener.network("failed");
    else if (ice === "disconnected") this.listener.network("disconnected");
    else if (ice === "connected" || ice === "completed") this.listener.network("connected");
  }

  /** Returns the values of `getStats()`. */
  async stats() {
    const reports = /** @type {any} */ (await this.connection.getStats());
    return [...reports.values()];
  }

  /** Closes the connection; no event is fired. */
  close() {
    this.connection.close();
  }
}

/** Returns why this browser cannot play the stream with WebRTC, or null. A browser that lists no codecs may try. @param {any} browser  `window` */
export function noWebrtc(browser) {
  if (!browser.RTCPeerConnection) return "no-webrtc";
  const codecs = browser.RTCRtpReceiver?.getCapabilities?.("video")?.codecs;
  const h264 = (/** @type {{mimeType: string}} */ codec) => codec.mimeType.toLowerCase() === "video/h264";
  return codecs && !codecs.some(h264) ? "no-h264" : null;
}

/** Returns whether this browser can play H.264 from a WebSocket. @param {any} browser  `window` */
export function hasMediaSource(browser) {
  const source = browser.MediaSource ?? browser.ManagedMediaSource;
  return Boolean(source?.isTypeSupported('video/mp4; codecs="avc1.42c01f"'));
}

/**
 * Returns why this browser cannot play the stream in any way, or null. Without frame callbacks (Firefox before 132, Safari
 * before 15.4) the page could not detect live video.
 * @param {any} browser  `window`
 */
export function unplayable(browser) {
  if (!browser.HTMLVideoElement.prototype.requestVideoFrameCallback) return "too-old";
  return hasMediaSource(browser) ? null : noWebrtc(browser);
}
