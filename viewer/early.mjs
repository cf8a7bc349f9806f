/** Starts the slowest steps while the other modules load: the signaling connection and a first peer connection. */

import { TokenStore } from "./token.mjs";
import { Signaling, noWebrtc, socketUrl, unplayable, warmUp } from "./transports.mjs";

/** When the page's script started, in ms. */
export const began = performance.now();

export const tokens = new TokenStore(() => sessionStorage, location.pathname);
tokens.take(location, history);

/** @type {Signaling | null} */
let first = unplayable(window) ? null : open(() => ({ type: "hello", token: tokens.token }));
if (first && !noWebrtc(window)) warmUp();

/** @param {() => Outgoing} hello */
function open(hello) {
  return new Signaling(socketUrl("ws", location.href), hello);
}

/** Returns the connection already started, and a new one at later calls. @param {() => Outgoing} hello */
export function signaling(hello) {
  const connection = first ?? open(hello);
  first = null;
  return connection;
}
