/** The two ways to the daemon, thin: a WebSocket and an RTCPeerConnection. */

import { SUBPROTOCOL, isUsefulCandidate } from "./protocol.mjs";

/** One WebSocket. Messages wait for `listen`; after `drop` none is heard, nor its close. */
export class Signaling {
  /** @param {string} url @param {() => Outgoing} hello  what to say first */
  constructor(url, hello) {
    /** @type {any[]} */
    this.waiting = [];
    this.socket = new WebSocket(url, SUBPROTOCOL);
    this.socket.onopen = () => this.send(hello());
    this.socket.onmessage = this.socket.onclose = (/** @type {Event} */ event) => void this.waiting.push(event);
  }

  /** @param {SignalingListener} listener  hears also what came before */
  listen(listener) {
    this.socket.onmessage = (event) => listener.message(event.data);
    this.socket.onclose = (event) => listener.close(event.code);
    for (const event of this.waiting) this.socket[event.type === "close" ? "onclose" : "onmessage"]?.(event);
  }

  /** Bytes that have not left this machine yet. */
  get buffered() {
    return this.socket.bufferedAmount;
  }

  /** False when the socket is not open. @param {Outgoing} message */
  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message)); // without fields that are undefined
    return true;
  }

  /** Closes and forgets it. @param {number} code  1000, or 3000 and above */
  drop(code) {
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(code);
  }
}

/** The daemon's WebSocket address, beside the page. @param {string} page  its address */
export function signalingUrl(page) {
  return new URL("ws", page).href.replace("http", "ws");
}

/** Which setting keeps this page out, or "": a WebSocket does not say, but a POST carries `Origin` too. */
export async function refusal() {
  const answer = await fetch("ws", { method: "POST" }).then((response) => response.text(), String);
  return answer.match(/web\.(hosts|origins)/)?.[0] ?? "";
}

/** `disconnected` often mends itself; after this, in ms, it is failed. */
export const DISCONNECTED = 2000;

/** @type {RTCPeerConnection | null} */
let spare = null;

/** A page's first peer connection takes 20 ms: better while the WebSocket opens. */
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

/** libwebrtc plays Opus in mono unless its own answer says otherwise (RFC 7587 §6.1). @param {string} sdp */
export const withStereo = (sdp) => sdp.replace(/^a=fmtp:(?=.*useinbandfec)(?!.*[ ;]stereo=).*/gm, "$&;stereo=1");

/** Answers one offer; the next offer makes a new one. */
export class Peer {
  /** @param {Offer} offer @param {PeerListener} listener */
  constructor(offer, listener) {
    this.id = offer.id;
    this.clock = offer.clock ?? null;
    this.listener = listener;
    this.connection = makeConnection(offer.ice_servers);
    this.connection.ontrack = ({ track }) => (this.setPlayoutDelay(0), listener.track(track));
    this.connection.onicecandidate = (event) => this.#candidate(event.candidate);
    this.connection.oniceconnectionstatechange = this.connection.onconnectionstatechange = () => this.#network();
    this.#answer(offer.sdp).catch((error) => this.connection.signalingState !== "closed" && listener.refused(error));
  }

  /** Answers at once; candidates follow by themselves. @param {string} sdp */
  async #answer(sdp) {
    await this.connection.setRemoteDescription({ type: "offer", sdp });
    const answer = await this.connection.createAnswer();
    const stereo = withStereo(answer.sdp ?? "");
    // A browser that does not let answers be changed plays mono.
    await this.connection.setLocalDescription({ type: "answer", sdp: stereo }).catch(() => this.connection.setLocalDescription(answer));
    this.listener.answer(stereo);
  }

  /** How long video is held back; a leap is a freeze. @param {number} ms */
  setPlayoutDelay(ms) {
    const video = this.connection.getReceivers().find(({ track }) => track.kind === "video");
    if (video) video.jitterBufferTarget = Math.min(ms, (video.jitterBufferTarget ?? 0) + 120);
  }

  /** @param {RTCIceCandidate | null} candidate */
  #candidate(candidate) {
    if (!candidate?.candidate) this.listener.candidate(null);
    else if (isUsefulCandidate(candidate.candidate)) this.listener.candidate(candidate.toJSON());
  }

  /** `iceConnectionState` is the quicker one, but a failed DTLS handshake shows only in the other. */
  #network() {
    const { iceConnectionState: ice, connectionState } = this.connection;
    if (ice === "failed" || connectionState === "failed") this.listener.network("failed");
    else if (ice === "disconnected") this.listener.network("disconnected");
    else if (ice === "connected" || ice === "completed") this.listener.network("connected");
  }

  /** The values of `getStats()`. */
  async stats() {
    const reports = /** @type {any} */ (await this.connection.getStats());
    return [...reports.values()];
  }

  /** Fires no event. */
  close() {
    this.connection.close();
  }
}

/**
 * Why this browser cannot play, or null. Without frame callbacks (Firefox before 132, Safari before 15.4) it could never
 * say LIVE; one that lists no codecs may try.
 * @param {any} browser  `window`
 */
export function unplayable(browser) {
  if (!browser.RTCPeerConnection) return "no-webrtc";
  if (!browser.HTMLVideoElement.prototype.requestVideoFrameCallback) return "too-old";
  const codecs = browser.RTCRtpReceiver?.getCapabilities?.("video")?.codecs;
  const h264 = (/** @type {{mimeType: string}} */ codec) => codec.mimeType.toLowerCase() === "video/h264";
  return codecs && !codecs.some(h264) ? "no-h264" : null;
}
