/** The block Viewers: who watches, how well, and disconnecting one. */

import { fill } from "../words.mjs";
import { call } from "./api.mjs";
import { ask, el, setText, syncList } from "./dom.mjs";
import { duration, health, rate } from "./format.mjs";

/** @param {OwnerContext} context */
export function viewersBlock(context) {
  const { words, state } = context;
  const text = words.viewers;
  const count = el("span", { class: "count" });
  const list = el("ul", { class: "rows", tabindex: "0", "aria-labelledby": "h-viewers" });
  const empty = el("p", { class: "soft", text: text.none });

  function update() {
    const { viewers, stream } = state();
    setText(count, stream ? fill(text.count, { count: viewers.size, limit: stream.limit }) : "");
    empty.hidden = viewers.size > 0;
    list.hidden = viewers.size === 0;
    const entries = /** @type {[string, OwnerViewer][]} */ ([...viewers].sort(([, a], [, b]) => a.since - b.since));
    syncList(list, entries, (viewer) => row(viewer, context));
  }

  const element = el("section", { class: "card", "aria-labelledby": "h-viewers" },
    el("header", {}, el("h2", { id: "h-viewers", text: text.title }), count), empty, list);
  return { element, update };
}

/**
 * Returns a viewer's row, with a function that updates it.
 * @param {OwnerViewer} viewer
 * @param {OwnerContext} context
 */
function row(viewer, { words, act }) {
  const text = words.viewers;
  const name = viewer.name || viewer.player || fill(text.unnamed, { number: viewer.id.slice(1) });
  const dot = el("i", { class: "dot", role: "img" });
  const detail = el("p", { class: "soft small" });
  const numbers = el("p", { class: "numbers small" });

  async function disconnect() {
    const question = { title: fill(text.disconnectTitle, { name }), detail: viewer.link ? text.byLink : text.mayReturn, yes: text.disconnect, no: words.cancel };
    if (await ask(question)) await act(() => call("DELETE", `owner/viewers/${viewer.id}`));
  }

  const element = el("li", {}, dot,
    el("div", { class: "grow" }, el("p", { class: "name", text: name, title: name }), detail, numbers),
    el("button", { class: "small", "aria-label": fill(text.disconnectOne, { name }), text: text.disconnect, onclick: disconnect }));
  /** @param {OwnerViewer} now */
  const update = (now) => {
    const grade = health(now);
    dot.className = `dot ${grade}`;
    dot.setAttribute("aria-label", text.health[grade]);
    const since = duration(Math.floor((Date.now() / 1000 - now.since) / 5) * 5, words.units);
    const route = text.routes[now.route] ?? now.route;
    const small = now.quality === "small" ? text.small : "";
    const state = now.state === "connected" ? "" : text.states[now.state];
    setText(detail, [state, now.address, route, small, since].filter(Boolean).join(" · "));
    const trip = now.round_trip === null ? "" : `${now.round_trip} ms`;
    const loss = now.loss ? fill(text.loss, { percent: now.loss }) : "";
    setText(numbers, [trip, loss, now.estimate === null ? "" : rate(now.estimate)].filter(Boolean).join(" · "));
  };
  return Object.assign(element, { update });
}
