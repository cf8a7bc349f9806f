/** The daemon's settings, shared by the blocks that show and change them. */

import { call } from "./api.mjs";

export class SettingsStore {
  /** @type {OwnerSetting[]} */
  rows = [];
  /** @type {string[]} */
  pending = [];
  known = "";

  /** @param {OwnerContext} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {string} path */
  find(path) {
    return this.rows.find((row) => row.path === path);
  }

  /** Loads the settings if somebody has changed them; then calls `changed`. @param {() => void} changed */
  async refresh(changed) {
    const { act, state, up } = this.context;
    const known = `${up()} ${state().settings}`;
    if (this.known === known) return;
    this.known = known;
    if (!up() || state().settings === null) return;
    const answer = await act(() => call("GET", "owner/settings"));
    if (answer) this.#take(answer);
    changed();
  }

  /** Changes settings; null resets one. Throws `ApiError`. @param {Record<string, unknown>} values */
  async change(values) {
    this.#take(await call("POST", "owner/settings", values));
  }

  async resetAll() {
    this.#take(await call("DELETE", "owner/settings"));
  }

  /** @param {{ settings: OwnerSetting[], pending: string[] }} answer */
  #take({ settings, pending }) {
    this.rows = settings;
    this.pending = pending;
  }
}

/**
 * Returns the value for a setting from what was typed or chosen. Pure.
 * @param {OwnerSetting["input"]} input
 * @param {string} text
 */
export function typed(input, text) {
  if (input?.type === "bool") return text === "true";
  if (input?.type === "number") return text.trim() === "" ? text : Number(text);
  if (input?.type === "choice") return input.choices?.find((choice) => String(choice) === text) ?? text;
  return text;
}

/** Returns the time of a `datetime-local` field with its offset, as a setting has it; empty without one. Pure. @param {string} text */
export const timeSetting = (text) => (text ? new Date(text).toISOString().replace(/\.\d+Z/, "Z") : "");

/** Returns a setting's time for a `datetime-local` field, in the browser's time zone; empty if there is none. Pure. @param {string} text */
export function timeField(text) {
  const moment = new Date(text.replace(" ", "T"));
  if (Number.isNaN(moment.getTime())) return "";
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
