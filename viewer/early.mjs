/** What takes longest, begun while the other modules load: signaling, and a first peer connection. */

import { TokenStore } from "./token.mjs";
import { Signaling, signalingUrl, unplayable, warmUp } from "./transports.mjs";

/** When the page's script began, in ms. */
export const began = performance.now();

export const tokens = new TokenStore(() => sessionStorage, location.pathname);
tokens.take(location, history);

/** @type {Signaling | null} */
let first = unplayable(window) ? null : open(() => ({ type: "hello", token: tokens.token }));
if (first) warmUp();

/** @param {() => Outgoing} hello */
function open(hello) {
  return new Signaling(signalingUrl(location.href), hello);
}

/** The connection under way, later a new one. @param {() => Outgoing} hello */
export function signaling(hello) {
  const found = first ?? open(hello);
  first = null;
  return found;
}
