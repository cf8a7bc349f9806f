/** The blocks Recording and Push. */

import { fill } from "../words.mjs";
import { call } from "./api.mjs";
import { el, setText, syncList, toast } from "./dom.mjs";
import { bytes, duration } from "./format.mjs";

/** @param {OwnerContext} context */
export function recordingBlock({ words, act, state }) {
  const text = words.recording;
  const line = el("p");
  const space = el("p", { class: "soft small" });
  const record = /** @type {HTMLButtonElement} */ (el("button", { onclick: () => act(toggle) }));
  const clip = /** @type {HTMLButtonElement} */ (el("button", { text: text.clip, onclick: () => act(saveClip) }));
  const buttons = el("div", { class: "buttons" }, record, clip, el("a", { class: "button", href: "recordings", text: text.list }));

  const isOn = () => ["waiting", "recording", "failed"].includes(state().recorder?.state ?? "off");

  async function toggle() {
    const { recorder } = await call("POST", "record", { record: !isOn() });
    state().recorder = recorder;
    update();
  }

  async function saveClip() {
    clip.disabled = true;
    try {
      const { clip: saved } = await call("POST", "record", { clip: true });
      toast(fill(text.saved, { seconds: Math.round(saved.duration) }));
    } finally {
      clip.disabled = false;
    }
  }

  function update() {
    const { recorder } = state();
    buttons.hidden = space.hidden = !recorder;
    setText(line, recorder ? (text.states[recorder.state] ?? recorder.state) + (recorder.store.problem ? ` – ${recorder.store.problem}` : "") : text.off);
    line.classList.toggle("problem", recorder?.state === "failed");
    if (!recorder) return;
    const { files, bytes: used, free } = recorder.store;
    setText(space, fill(text.space, { files, used: bytes(used), free: bytes(free) }));
    setText(record, isOn() ? text.stop : text.start);
  }

  const element = el("section", { class: "card", "aria-labelledby": "h-recording" },
    el("header", {}, el("h2", { id: "h-recording", text: text.title })), line, space, buttons);
  return { element, update };
}

/** @param {OwnerContext} context */
export function pushBlock({ words, act, state }) {
  const text = words.push;
  const list = el("ul", { class: "rows" });
  const element = el("section", { class: "card", "aria-labelledby": "h-push" },
    el("header", {}, el("h2", { id: "h-push", text: text.title })), list);

  /** @param {OwnerPush} target */
  function row(target) {
    const line = el("p", { class: "soft small" });
    const button = el("button", { class: "small", role: "switch", "aria-label": target.name, onclick: () => act(toggle) });
    let isOn = false;
    const toggle = () => call("POST", `owner/push/${encodeURIComponent(target.name)}`, { enabled: !isOn });
    const item = el("li", {}, el("div", { class: "grow" }, el("p", { class: "name", text: target.name, title: target.server }), line), button);
    /** @param {OwnerPush} now */
    const update = (now) => {
      isOn = now.state !== "disabled";
      const since = now.since === null ? "" : duration(Date.now() / 1000 - now.since, words.units);
      setText(line, [text.states[now.state] ?? now.state, since, now.state === "connected" ? "" : now.reason].filter(Boolean).join(" · "));
      line.classList.toggle("problem", ["refused", "waiting"].includes(now.state));
      setText(button, isOn ? text.on : text.off);
      button.setAttribute("aria-checked", String(isOn));
    };
    return Object.assign(item, { update });
  }

  function update() {
    const { push } = state();
    element.hidden = !push.length;
    syncList(list, push.map((target) => [target.name, target]), row);
  }
  return { element, update };
}
