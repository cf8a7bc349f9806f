/** The check of everything that the stream needs: its button, and its results as they come. */

import { call } from "./api.mjs";
import { el, setText, syncList } from "./dom.mjs";

const DOTS = /** @type {const} */ ({ ok: "good", warning: "fair", broken: "poor" });

/** @param {OwnerContext} context */
export function checkView({ words, act, state }) {
  const text = words.health;
  const line = el("p", { class: "soft small", role: "status" });
  const list = el("ul", { class: "rows", tabindex: "0", "aria-label": text.check });
  const button = /** @type {HTMLButtonElement} */ (el("button", { text: text.check, onclick: () => act(start) }));

  async function start() {
    state().check = (await call("POST", "owner/check", {})).check;
    update();
  }

  /** @param {OwnerCheckResult} result */
  const row = ({ what, level, found, why, fix }) => el("li", {},
    el("i", { class: `dot ${DOTS[level]}`, role: "img", "aria-label": text.checkLevels[level] }),
    el("div", { class: "grow" }, el("p", { class: "name", text: what }), el("p", { class: "small fix", text: found }),
      level === "ok" ? null : el("p", { class: "soft small", text: why }), fix ? el("p", { class: "small fix", text: fix }) : null));

  function update() {
    const { check } = state();
    const results = check?.results ?? [];
    button.disabled = check?.state === "running";
    setText(line, check ? text.checkStates[check.state] : "");
    list.hidden = !results.length;
    syncList(list, results.map((result, index) => /** @type {[string, OwnerCheckResult]} */ ([`${index} ${JSON.stringify(result)}`, result])), row);
  }

  const element = el("div", { class: "stack" }, el("div", { class: "buttons" }, button), line, list);
  return { element, update };
}
