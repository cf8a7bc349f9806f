/** The block Station: what viewers read about the stream. */

import { el, toast } from "./dom.mjs";
import { timeField, timeSetting } from "./settings-store.mjs";

const LENGTHS = /** @type {const} */ ({ title: 60, line: 160, message: 300 });

/** @param {OwnerContext} context @param {import("./settings-store.mjs").SettingsStore} store */
export function stationBlock({ words, act, state }, store) {
  const text = words.station;
  const fields = Object.entries(LENGTHS).map(([name, length]) =>
    /** @type {[string, HTMLInputElement]} */ ([name, /** @type {HTMLInputElement} */ (el("input", { id: `station-${name}`, maxlength: length, autocomplete: "off" }))]));
  const next = /** @type {HTMLInputElement} */ (el("input", { id: "station-next", type: "datetime-local" }));
  const inputs = /** @type {[string, HTMLInputElement][]} */ ([...fields, ["next", next]]);
  const save = /** @type {HTMLButtonElement} */ (el("button", { class: "primary", text: words.settings.save }));
  /** What the daemon has, as the fields show it. @type {Map<string, string>} */
  const known = new Map();

  const current = (/** @type {string} */ name) => {
    const value = String(store.find(`station.${name}`)?.value ?? "");
    return name === "next" ? timeField(value) : value;
  };
  const changed = () => inputs.filter(([name, input]) => input.value !== current(name));

  async function submit() {
    const values = changed().map(([name, input]) => [`station.${name}`, name === "next" ? timeSetting(input.value) : input.value.trim()]);
    if (!values.length) return;
    await store.change(Object.fromEntries(values));
    for (const [name, input] of inputs) input.value = current(name);
    update();
    toast(text.saved);
  }

  /** Shows what the daemon has, except in a field with an edit that is not saved. */
  function update() {
    element.hidden = state().settings === null;
    for (const [name, input] of inputs) {
      const value = current(name);
      if (input.value === (known.get(name) ?? "")) input.value = value;
      known.set(name, value);
    }
  }

  const rows = inputs.map(([name, input]) => el("div", {}, el("label", { for: input.id, text: text[/** @type {"title"} */ (name)] }), input));
  const element = el("section", { class: "card", "aria-labelledby": "h-station" },
    el("header", {}, el("h2", { id: "h-station", text: text.heading })),
    el("form", { class: "stack", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); act(submit); } }, ...rows, save));
  return { element, update };
}
