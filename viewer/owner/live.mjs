/** The block Live: the big switch, the state, the sound, and a preview. */

import { fill } from "../words.mjs";
import { base, call } from "./api.mjs";
import { ask, el, setText } from "./dom.mjs";
import { duration, rate } from "./format.mjs";

/** @param {string} state @param {OwnerWords} words */
export const stateText = (state, words) => words.states[state] ?? state;

/** @param {OwnerContext} context */
export function liveBlock({ words, act, state }) {
  const text = words.live;
  const line = el("p", { class: "state" });
  const detail = el("p", { class: "soft" });
  const button = /** @type {HTMLButtonElement} */ (el("button", { class: "live-switch", onclick: () => press() }));
  const mute = /** @type {HTMLButtonElement} */ (el("button", { "aria-pressed": "false", onclick: () => act(toggleSound) }));
  const preview = new Preview(text.preview);
  const show = /** @type {HTMLButtonElement} */ (el("button", { "aria-expanded": "false", onclick: () => act(() => togglePreview()) }));

  const isOn = () => !["offline", "stopping"].includes(state().stream?.state ?? "offline");

  async function press() {
    const on = !isOn();
    const watching = state().viewers.size;
    const question = { title: text.stopTitle, detail: watching ? fill(watching === 1 ? text.oneWatching : text.watching, { count: watching }) : "", yes: text.stop, no: words.cancel };
    if (!on && !(await ask(question))) return;
    button.disabled = true;
    const answer = await act(() => call("POST", "live", { live: on }));
    button.disabled = false;
    if (answer) Object.assign(state().stream ?? {}, answer.stream);
    update();
  }

  async function toggleSound() {
    const answer = await call("POST", "owner/sound", { muted: !state().stream?.muted });
    Object.assign(state().stream ?? {}, answer);
    update();
  }

  async function togglePreview() {
    await preview.toggle();
    update();
  }

  function update() {
    const { stream, source, load } = state();
    if (!stream || !source || !load) return;
    const seconds = Date.now() / 1000 - stream.since;
    const reason = words.reasons[stream.reason ?? ""] ?? stream.reason ?? "";
    setText(line, stateText(stream.state, words) + (reason ? ` – ${reason}` : ""));
    const since = fill(text.since, { time: duration(seconds, words.units) });
    const picture = `${source.width}×${source.height}, ${Math.round(source.fps)} fps, ${rate((stream.state === "live" && load.bitrate ? load.bitrate : load.bitrate_wanted) / 1000)}`;
    setText(detail, [since, source.video, picture, soundText(stream), lampText(stream)].filter(Boolean).join(" · "));
    setText(button, isOn() ? text.stop : text.start);
    button.classList.toggle("on", isOn());
    button.disabled ||= false;
    setText(mute, stream.muted ? text.unmute : text.mute);
    mute.setAttribute("aria-pressed", String(stream.muted));
    mute.hidden = source.audio === "none";
    setText(show, preview.isShown ? text.hidePreview : text.showPreview);
    show.setAttribute("aria-expanded", String(preview.isShown));
  }

  /** @param {NonNullable<OwnerState["stream"]>} stream */
  const soundText = (stream) => (stream.muted ? text.muted : stream.sound === "lost" ? text.soundLost : "");

  /** What the tally light shows. @param {NonNullable<OwnerState["stream"]>} stream */
  const lampText = (stream) => (stream.lamp ? text.lamps[stream.state === "live" && stream.muted ? "muted" : stream.state] ?? "" : "");

  const element = el("section", { class: "card live", "aria-labelledby": "h-live" },
    el("h2", { id: "h-live", class: "unseen", text: text.title }),
    el("div", { class: "live-head" }, el("div", {}, line, detail), button),
    preview.element, el("div", { class: "buttons" }, mute, show));
  return { element, update };
}

/** The viewer page in a frame: what viewers see is what the owner sees. */
class Preview {
  element = el("div", { class: "preview", hidden: true });

  /** @param {string} title */
  constructor(title) {
    this.title = title;
  }

  get isShown() {
    return !this.element.hidden;
  }

  async toggle() {
    if (this.isShown) {
      this.element.hidden = true;
      return this.element.replaceChildren();
    }
    const { token } = await call("GET", "owner/preview");
    const url = base();
    url.hash = token ? `t=${encodeURIComponent(token)}` : "";
    this.element.replaceChildren(el("iframe", { src: url.href, title: this.title, allow: "fullscreen; picture-in-picture" }));
    this.element.hidden = false;
  }
}
