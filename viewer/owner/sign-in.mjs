/** The form that signs the owner in. */

import { tokenOf } from "../token.mjs";
import { fill } from "../words.mjs";
import { ApiError, base, call } from "./api.mjs";
import { el, setText } from "./dom.mjs";

/** Signs in with an operator token or a code. @param {string} token */
const signIn = (token) => call("POST", "owner/session", { token, path: base().pathname });

/** Takes the code of a link (`#t=…`) out of the address bar, so that screenshots do not show it; null if there is none. */
export function takeCode() {
  const code = tokenOf(location.hash);
  if (code !== null) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/**
 * Signs in with the code of a link; returns what went wrong, empty if nothing did.
 * @param {string} code
 * @param {OwnerWords} words
 */
export async function signInByCode(code, words) {
  try {
    await signIn(code);
    return "";
  } catch (error) {
    return error instanceof ApiError && error.status === 401 ? words.signIn.usedCode : describe(error, words);
  }
}

/**
 * Returns the form; `done` is called when the browser is signed in.
 * @param {OwnerWords} words
 * @param {{ problem: string, secure: boolean, done: () => void }} options
 */
export function signInForm(words, { problem, secure, done }) {
  const text = words.signIn;
  const input = /** @type {HTMLInputElement} */ (el("input", {
    id: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false", autocapitalize: "off",
  }));
  const button = /** @type {HTMLButtonElement} */ (el("button", { class: "primary", text: text.button }));
  const error = el("p", { class: "problem", role: "alert", text: problem });

  /** @param {number} seconds */
  const lock = (seconds) => {
    button.disabled = seconds > 0;
    setText(error, seconds > 0 ? fill(text.locked, { seconds }) : "");
    if (seconds > 0) setTimeout(() => lock(seconds - 1), 1000);
    else input.focus();
  };
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await signIn(input.value.trim());
      done();
    } catch (failure) {
      button.disabled = false;
      if (failure instanceof ApiError && failure.status === 429) lock(failure.retryAfter || 60);
      else setText(error, describe(failure, words));
      input.select();
    }
  };
  const fields = [el("label", { for: "token", text: text.label }), input, button, error];
  return el("main", { class: "sign-in" },
    el("h1", { text: text.title }),
    el("p", { class: "soft", text: text.how }),
    el("code", { text: "sudo broadcaster owner" }),
    el("form", { onsubmit: submit }, el("input", { type: "text", name: "username", value: "owner", autocomplete: "username", hidden: true }), ...fields),
    secure ? null : el("p", { class: "soft small", text: text.insecure }));
}

/** @param {unknown} error @param {OwnerWords} words */
export function describe(error, words) {
  if (!(error instanceof ApiError) || error.status === 0) return words.unreachable;
  return error.status === 401 ? words.signIn.wrong : error.message;
}
