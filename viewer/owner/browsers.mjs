/** The block Signed-in browsers: the owner's devices, signing in another one, and signing out. */

import { fill } from "../words.mjs";
import { base, call } from "./api.mjs";
import { ask, el, syncList } from "./dom.mjs";
import { duration } from "./format.mjs";
import { showCode } from "./links.mjs";

/** @param {OwnerContext} context */
export function browsersBlock({ words, act, up }) {
  const text = words.browsers;
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "soft", text: text.local });
  const outAll = el("button", { class: "quiet", text: text.outAll, onclick: () => act(signOutAll) });
  let isLoaded = false;

  async function load() {
    const { browsers } = await call("GET", "owner/browsers");
    none.hidden = browsers.some((/** @type {OwnerBrowser} */ browser) => browser.this);
    outAll.hidden = browsers.length === 0;
    syncList(list, browsers.map((/** @type {OwnerBrowser} */ browser) => [browser.id, browser]), row);
  }

  /** @param {OwnerBrowser} browser */
  function row({ name: kind, ...browser }) {
    const name = /"(.*)"/.exec(kind)?.[1] ?? kind;
    const seen = browser.this ? text.this : fill(text.seen, { time: duration(Date.now() / 1000 - browser.seen, words.units) });
    return el("li", {},
      el("div", { class: "grow" }, el("p", { class: "name", text: name }), el("p", { class: "soft small", text: seen })),
      el("button", { class: "small", text: text.out, "aria-label": fill(text.outOne, { name }), onclick: () => act(() => signOut(browser.id, name)) }));
  }

  /** @param {string} id @param {string} name */
  async function signOut(id, name) {
    if (!(await ask({ title: fill(text.outTitle, { name }), yes: text.out, no: words.cancel }))) return;
    await call("DELETE", `owner/browsers/${id}`);
    await load();
  }

  async function signOutAll() {
    if (!(await ask({ title: text.outAllTitle, detail: text.outAllDetail, yes: text.outAll, no: words.cancel }))) return;
    await call("DELETE", "owner/browsers");
    await load();
  }

  async function signInAnother() {
    const { code } = await call("POST", "owner/code", {});
    await showCode(text.another, `${base().href}owner#t=${code}`, words);
  }

  function update() {
    if (up() === isLoaded) return;
    isLoaded = up();
    if (isLoaded) act(load);
  }

  const element = el("section", { class: "card", "aria-labelledby": "h-browsers" },
    el("header", {}, el("h2", { id: "h-browsers", text: text.title }), outAll), none, list,
    el("div", { class: "buttons" }, el("button", { text: text.another, onclick: () => act(signInAnother) })));
  return { element, update };
}
