/** The block Settings: those that can be changed here, and all of them with where they come from. */

import { fill } from "../words.mjs";
import { ask, el, setText, syncList, toast } from "./dom.mjs";
import { typed } from "./settings-store.mjs";
import { describe } from "./sign-in.mjs";

/** @param {OwnerContext} context @param {import("./settings-store.mjs").SettingsStore} store */
export function settingsBlock(context, store) {
  const { words, act, state } = context;
  const text = words.settings;
  const pending = el("p", { class: "problem small", role: "status" });
  const list = el("ul", { class: "rows" });
  const all = el("ul", { class: "rows" });
  const reset = el("button", { class: "quiet", text: text.resetAll, onclick: () => act(resetAll), hidden: true });

  async function resetAll() {
    if (!(await ask({ title: text.resetAllTitle, detail: text.resetAllDetail, yes: text.resetAll, no: words.cancel }))) return;
    await store.resetAll();
    render();
  }

  /** @param {OwnerSetting} first */
  function row(first) {
    const value = el("p", { class: "value small" });
    const detail = el("p", { class: "soft small" });
    const change = first.input ? el("button", { class: "small", text: text.change, "aria-label": fill(text.changeOne, { name: first.path }), onclick: () => edit(/** @type {OwnerSetting} */ (store.find(first.path)), store, words, render) }) : null;
    const item = el("li", {}, el("div", { class: "grow" }, el("p", { class: "name", text: first.path }), value, el("p", { class: "soft small", text: first.doc }), detail), change);
    /** @param {OwnerSetting} now */
    const update = (now) => {
      setText(value, now.shown);
      setText(detail, [text.origins[now.origin], now.pending ? text.afterStart : ""].filter(Boolean).join(" · "));
    };
    return Object.assign(item, { update });
  }

  function render() {
    const entries = store.rows.map((one) => /** @type {[string, OwnerSetting]} */ ([one.path, one]));
    syncList(list, entries.filter(([path, one]) => one.input && !path.startsWith("station.")), row);
    syncList(all, entries.filter(([, one]) => !one.input), row);
    setText(pending, store.pending.length ? fill(text.pending, { names: store.pending.join(", ") }) : "");
    reset.hidden = !store.rows.some((one) => one.on_page);
  }

  const element = el("section", { class: "card", "aria-labelledby": "h-settings" },
    el("header", {}, el("h2", { id: "h-settings", text: text.title }), reset), pending,
    el("details", {}, el("summary", { text: text.changeable }), list), el("details", {}, el("summary", { text: text.others }), all));
  const update = () => {
    element.hidden = state().settings === null;
    render();
  };
  return { element, update };
}

/**
 * Asks for a new value of a setting; the daemon says what is wrong with it.
 * @param {OwnerSetting} setting
 * @param {import("./settings-store.mjs").SettingsStore} store
 * @param {OwnerWords} words
 * @param {() => void} changed
 */
function edit(setting, store, words, changed) {
  const text = words.settings;
  const input = field(setting, words);
  const problem = el("p", { class: "problem", role: "alert" });
  const note = [setting.allowed, setting.applies === "start" ? text.appliesAtStart : "", setting.origin === "command line" ? text.covered : ""].filter(Boolean).join(" · ");
  const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { "aria-labelledby": "setting-title" },
    el("h2", { id: "setting-title", text: setting.path }),
    el("p", { text: setting.doc }),
    el("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); save(typed(setting.input, input.value)); } },
      el("label", { for: "setting-value", text: note }), input, problem,
      el("div", { class: "buttons" },
        Boolean(setting.on_page) && el("button", { type: "button", text: text.reset, onclick: () => save(null) }),
        el("button", { type: "button", text: words.cancel, onclick: () => dialog.close() }),
        el("button", { class: "primary", text: text.save })))));

  /** @param {unknown} value */
  async function save(value) {
    try {
      await store.change({ [setting.path]: value });
    } catch (error) {
      return setText(problem, describe(error, words));
    }
    dialog.close();
    changed();
    toast(store.find(setting.path)?.pending ? text.savedForStart : text.saved);
  }

  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
}

/**
 * Returns the form field for a setting.
 * @param {OwnerSetting} setting
 * @param {OwnerWords} words
 * @returns {HTMLInputElement | HTMLSelectElement}
 */
function field({ input, value }, words) {
  const id = "setting-value";
  if (input?.type === "number") {
    return /** @type {HTMLInputElement} */ (el("input", { id, type: "number", inputmode: "decimal", min: input.min, max: input.max, step: input.step, value, required: true }));
  }
  if (input?.type === "text") return /** @type {HTMLInputElement} */ (el("input", { id, autocomplete: "off", value }));
  const choices = input?.choices ?? [true, false];
  const shown = (/** @type {unknown} */ choice) => (choice === true ? words.settings.yes : choice === false ? words.settings.no : String(choice));
  return /** @type {HTMLSelectElement} */ (el("select", { id },
    ...choices.map((choice) => el("option", { value: String(choice), selected: choice === value, text: shown(choice) }))));
}
