/** Statistics for display, from `getStats()`. Pure; in ms and bits per second. */

import { median } from "./latency.mjs";
import { LOSSY, LOSSY_DELAY, LOSSY_MS } from "./watch.mjs";

/** Private, link-local and loopback addresses (RFC 1918, 3927, 4193). */
const PRIVATE = /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|::1$|f[cd]|fe[89ab])/i;

/**
 * Returns the route of a peer connection: within the `same` network, `direct` to another one, or `relayed`.
 * @param {any} local  the candidates' reports
 * @param {any} remote
 * @returns {Route}
 */
export function route(local, remote) {
  if (!local || !remote) return "";
  if (local.candidateType === "relay" || remote.candidateType === "relay") return "relayed";
  return PRIVATE.test(remote.address ?? "") ? "same" : "direct";
}

/**
 * Extracts the relevant reports. Browsers differ in how they mark the selected candidate pair.
 * @param {any[]} reports  the values of an `RTCStatsReport`
 * @param {number} at
 */
export function snapshot(reports, at) {
  const byId = (/** @type {string} */ id) => reports.find((report) => report.id === id);
  const inbound = (/** @type {string} */ kind) =>
    reports.find((report) => report.type === "inbound-rtp" && report.kind === kind) ?? {};
  const used = reports.find((report) => report.type === "transport")?.selectedCandidatePairId;
  const pair = byId(used) ?? reports.find((report) => report.nominated && report.state === "succeeded") ?? {};
  const [video, audio] = [inbound("video"), inbound("audio")];
  return {
    at,
    video,
    bytes: (video.bytesReceived ?? 0) + (audio.bytesReceived ?? 0),
    trip: pair.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
    route: route(byId(pair.localCandidateId), byId(pair.remoteCandidateId)),
    codec: [video, audio].map(({ codecId }) => byId(codecId)?.mimeType.split("/")[1]).filter(Boolean).join(" · "),
  };
}

/**
 * Returns the statistics between two snapshots of one peer connection; rates are null without an earlier snapshot.
 * @param {Snapshot | null} before
 * @param {Snapshot} after
 */
export function statsBetween(before, after) {
  const { video, trip, route, codec } = after;
  const grown = (/** @type {string} */ name) => (video[name] ?? 0) - (before?.video[name] ?? 0);
  const each = (/** @type {number} */ amount, /** @type {number} */ count) => (before && count > 0 ? amount / count : null);
  const seconds = (after.at - (before?.at ?? 0)) / 1000;
  return {
    width: video.frameWidth ?? 0,
    height: video.frameHeight ?? 0,
    fps: each(grown("framesDecoded"), seconds),
    bitrate: each((after.bytes - (before?.bytes ?? 0)) * 8, seconds),
    buffer: each(grown("jitterBufferDelay") * 1000, grown("jitterBufferEmittedCount")),
    decode: each(grown("totalDecodeTime") * 1000, grown("framesDecoded")),
    missed: grown("packetsLost") / (grown("packetsReceived") + grown("packetsLost") || 1),
    lost: video.packetsLost ?? 0,
    repaired: video.retransmittedPacketsReceived ?? 0,
    keyframes: video.keyFramesDecoded ?? 0,
    plis: video.pliCount ?? 0,
    nacks: video.nackCount ?? 0,
    trip,
    route,
    codec,
  };
}

/** Returns how many frames a peer connection has decoded between two snapshots. @param {Snapshot | null} before @param {Snapshot} after */
export function framesBetween(before, after) {
  return before ? (after.video.framesDecoded ?? 0) - (before.video.framesDecoded ?? 0) : 0;
}

/** Number of readings whose median is the frame rate: frames that arrive early or late at a reading change single ones. */
const READINGS = 5;

/** Statistics of what plays. */
export class Meter {
  /** of the peer connection @type {Snapshot | null} */
  snapshot = null;
  /** @type {Peer | null} */
  peer = null;
  /** when packets were lost, in ms */
  lossyAt = -Infinity;
  /** the latest frame rates @type {number[]} */
  rates = [];

  /** Returns the statistics of the stream over the web. @param {Player} player @param {number} now @param {number | null} trip */
  player(player, now, trip) {
    const stats = player.stats(now);
    return { ...stats, trip, fps: this.#steadyRate(stats.fps) };
  }

  /** Returns the frame rate without the jitter of a single reading. @param {number | null} fps */
  #steadyRate(fps) {
    if (fps === null) this.rates = [];
    else this.rates = [...this.rates, fps].slice(-READINGS);
    return median(this.rates);
  }

  /**
   * Returns the statistics of a peer connection, and sets its playout delay.
   * @param {Peer} peer
   * @param {number} now
   */
  async peerStats(peer, now) {
    if (peer !== this.peer) this.snapshot = null;
    this.peer = peer;
    const before = this.snapshot;
    const after = snapshot(await peer.stats(), now);
    this.snapshot = after;
    const stats = statsBetween(before, after);
    stats.fps = this.#steadyRate(stats.fps);
    if (stats.missed > LOSSY) this.lossyAt = now;
    peer.setPlayoutDelay(now - this.lossyAt < LOSSY_MS ? LOSSY_DELAY : 0);
    return { stats, packets: after.video.packetsReceived ?? 0, frames: framesBetween(before, after) };
  }
}

/** The lines of the panel: number of decimals and unit. @type {Record<string, [number?, string?]>} */
const LINES = {
  latency: [0, " ms"], join: [0, " ms"], size: [], quality: [], bitrate: [2, " Mbit/s"], codec: [], buffer: [1, " ms"], decode: [1, " ms"],
  trip: [1, " ms"], route: [], lost: [], repaired: [], freezes: [], keyframes: [], plis: [], nacks: [],
};

/**
 * Returns the statistics as text; null where a value is unknown. Without a choice of renditions there is no line for it.
 * @param {View} view
 * @param {Words} words
 * @returns {[string, string | null][]}  label key and text
 */
export function lines({ stats, latencyMs, joinMs, freezes, quality }, words) {
  const { width, height, fps, bitrate, route } = stats ?? /** @type {Partial<Stats>} */ ({});
  const size = width && `${width}×${height}${fps ? `, ${fps.toFixed()} fps` : ""}`;
  /** @type {Record<string, unknown>} */
  const values = {
    ...stats, latency: latencyMs, join: joinMs, freezes, size: size || null, bitrate: bitrate && bitrate / 1e6,
    route: words.routes[route ?? ""], quality: words.qualities[quality ?? ""],
  };
  const shown = Object.entries(LINES).filter(([key]) => key !== "quality" || quality !== null);
  return shown.map(([key, [digits, unit = ""]]) => {
    const value = values[key];
    return [key, typeof value === "number" ? value.toFixed(digits) + unit : String(value || "") || null];
  });
}
