/** Questions, links to share, and the list of keys. */

import { KEYS, keyName } from "./keys.mjs";

/** Hours for which a link can be made, by the name of their words. */
const HOURS = [1, 24, 168, 720];

/**
 * Asks a question; resolves to whether the answer is yes.
 * @param {HTMLDialogElement} dialog @param {{ title: string; detail: string; yes: string; no: string }} words
 * @returns {Promise<boolean>}
 */
export function ask(dialog, { title, detail, yes, no }) {
  const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (dialog.querySelector(selector));
  part("h3").textContent = dialog.ariaLabel = title;
  part("p").textContent = detail;
  part("[value=yes]").textContent = yes;
  part("[value=no]").textContent = no;
  dialog.returnValue = "no";
  dialog.showModal();
  part("[value=no]").focus();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

/** @param {HTMLDialogElement} dialog @param {RecordingsWords} words */
export function fillHelp(dialog, words) {
  const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (dialog.querySelector(selector));
  part("h3").textContent = dialog.ariaLabel = words.help.title;
  part("button").textContent = words.help.close;
  /** @type {Map<string, string[]>} */
  const keys = new Map();
  for (const [key, name] of Object.entries(KEYS)) keys.set(name, [...(keys.get(name) ?? []), keyName(key)]);
  const rows = [...keys].flatMap(([name, names]) => {
    const term = document.createElement("dt");
    term.append(...names.map((key) => Object.assign(document.createElement("kbd"), { textContent: key })));
    return [term, Object.assign(document.createElement("dd"), { textContent: words.commands[name] })];
  });
  part("dl").replaceChildren(...rows);
}

export class ShareDialog {
  /** @type {((hours: number) => Promise<{ url: string; until: number }>) | null} */
  #make = null;

  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (dialog.querySelector(selector));
    this.part("form").addEventListener("submit", (/** @type {Event} */ event) => (event.preventDefault(), this.#create()));
    this.part("[data-share=copy]").addEventListener("click", () => this.#copy());
    this.part("[data-share=send]").addEventListener("click", () => navigator.share({ url: this.part("input").value }).catch(() => {}));
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    this.part("h3").textContent = this.dialog.ariaLabel = words.share.title;
    this.part("label span").textContent = words.share.hours;
    const options = HOURS.map((hours) => Object.assign(document.createElement("option"), { value: String(hours), textContent: words.share[`hour${hours}`] }));
    this.part("select").replaceChildren(...options);
    this.part("select").value = "24";
    this.part("form button").textContent = words.share.make;
    this.part("[data-share=copy]").textContent = words.share.copy;
    this.part("[data-share=send]").textContent = words.share.send;
    this.part(".plain").textContent = words.share.close;
  }

  /** @param {string} range  in words @param {(hours: number) => Promise<{ url: string; until: number }>} make */
  open(range, make) {
    this.#make = make;
    this.part(".scope").textContent = this.words?.share.detail.replace("{range}", range);
    this.part(".made").hidden = true;
    this.part(".problem").textContent = "";
    this.dialog.showModal();
  }

  async #create() {
    if (!this.#make) return;
    this.part("form button").disabled = true;
    this.part(".problem").textContent = "";
    try {
      const { url, until } = await this.#make(Number(this.part("select").value));
      this.part("input").value = url;
      this.part("input").ariaLabel = this.words?.share.title;
      const { format } = this;
      this.part(".until").textContent = this.words?.share.until.replace("{time}", `${format?.date(until, "short")}, ${format?.clock(until, "minute")}`);
      this.part("[data-share=send]").hidden = !("share" in navigator);
      this.part(".made").hidden = false;
      this.part("input").select();
    } catch (error) {
      this.part(".problem").textContent = /** @type {Error} */ (error).message || this.words?.notice.unreachable.title;
    }
    this.part("form button").disabled = false;
  }

  /** Copies also where the clipboard's newer API is missing, as it is over plain HTTP. */
  #copy() {
    this.part("input").select();
    if (document.execCommand("copy")) this.part(".problem").textContent = this.words?.share.copied;
  }
}
