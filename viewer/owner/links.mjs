/** The block Links: making one for somebody, showing it as a QR code, and ending one or all. */

import { fill } from "../words.mjs";
import { base, call } from "./api.mjs";
import { ask, el, qrPicture, syncList, toast } from "./dom.mjs";
import { duration } from "./format.mjs";

/** @param {OwnerContext} context */
export function linksBlock(context) {
  const { words, act } = context;
  const text = words.links;
  const name = /** @type {HTMLInputElement} */ (el("input", { id: "link-name", maxlength: "40", autocomplete: "off" }));
  const hours = /** @type {HTMLSelectElement} */ (el("select", { id: "link-hours" },
    ...[2, 24, 72, 168, 720].map((count) => el("option", { value: count, selected: count === 24, text: duration(count * 3600, words.units) }))));
  const list = el("ul", { class: "rows" });
  const endAll = el("button", { class: "quiet", text: text.endAll, onclick: () => act(endEvery) });
  const form = el("form", { class: "link-form", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); act(make); } },
    el("div", {}, el("label", { for: "link-name", text: text.name }), name),
    el("div", {}, el("label", { for: "link-hours", text: text.valid }), hours),
    el("button", { class: "primary", text: text.make }));
  const open = el("p", { class: "soft", text: text.notNeeded });
  /** @type {OwnerLink[]} */
  let links = [];
  let known = "";

  async function make() {
    const link = await call("POST", "owner/links", { name: name.value.trim(), hours: Number(hours.value) });
    name.value = "";
    await load();
    await show(link);
  }

  async function endEvery() {
    if (!(await ask({ title: text.endAllTitle, detail: text.endAllDetail, yes: text.endAll, no: words.cancel }))) return;
    await call("DELETE", "owner/links");
    await load();
  }

  async function load() {
    const answer = await call("GET", "owner/links");
    links = answer.links;
    form.hidden = !answer.needed;
    open.hidden = answer.needed;
    endAll.hidden = !links.length;
    render();
  }

  /** @param {OwnerLink} link */
  async function end(link) {
    const title = fill(text.endTitle, { name: link.name || text.unnamed });
    if (!(await ask({ title, detail: text.endDetail, yes: text.end, no: words.cancel }))) return;
    await call("DELETE", `owner/links/${link.id}`);
    await load();
  }

  /** @param {OwnerLink} link */
  function row(link) {
    const title = link.name || text.unnamed;
    const left = fill(text.ends, { time: duration(Math.max(0, link.expires - Date.now() / 1000), words.units) });
    return el("li", {},
      el("div", { class: "grow" }, el("p", { class: "name", text: title, title }), el("p", { class: "soft small", text: left })),
      el("button", { class: "small", text: text.show, "aria-label": fill(text.showOne, { name: title }), onclick: () => act(() => show(link)) }),
      el("button", { class: "small", text: text.end, "aria-label": fill(text.endOne, { name: title }), onclick: () => act(() => end(link)) }));
  }

  const render = () => syncList(list, links.map((link) => [link.id, link]), row);

  /** @param {OwnerLink} link */
  async function show(link) {
    const url = base();
    url.hash = `t=${link.token}`;
    await showCode(link.name || text.unnamed, url.href, words);
  }

  /** Loads the list when a viewer has come with a link that is not in it. */
  function update() {
    const used = [...context.state().viewers.values()].map((viewer) => viewer.link).filter(Boolean).sort().join();
    if (known === `${context.up()} ${used}`) return;
    known = `${context.up()} ${used}`;
    if (context.up()) act(load);
  }

  const element = el("section", { class: "card", "aria-labelledby": "h-links" },
    el("header", {}, el("h2", { id: "h-links", text: text.title }), endAll), open, form, list);
  return { element, update };
}

/**
 * Shows a link as a QR code, to be scanned, shared or copied.
 * @param {string} title
 * @param {string} url
 * @param {OwnerWords} words
 */
export async function showCode(title, url, words) {
  const text = words.links;
  const code = await call("POST", "owner/qr", { text: url });
  const field = /** @type {HTMLInputElement} */ (el("input", { value: url, readonly: true, "aria-label": text.address, onfocus: () => field.select() }));
  /** Copies without the clipboard API where the page is no secure context. */
  const copy = async () => {
    field.select();
    const copied = navigator.clipboard ? await navigator.clipboard.writeText(url).then(() => true, () => false) : document.execCommand("copy");
    if (copied) toast(text.copied);
  };
  const canShare = typeof navigator.share === "function";
  const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "code", "aria-labelledby": "code-title" },
    el("h2", { id: "code-title", text: title }), qrPicture(code, text.code), field,
    el("div", { class: "buttons" },
      canShare && el("button", { text: text.share, onclick: () => navigator.share({ url }).catch(() => {}) }),
      el("button", { text: text.copy, onclick: copy }),
      el("button", { class: "primary", text: words.close, onclick: () => dialog.close() }))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
