/** The owner's page: signs in, then shows the blocks, and keeps them up to date. */

import { language } from "../language.mjs";
import { call } from "./api.mjs";
import { el, setText, toast } from "./dom.mjs";
import { Feed } from "./feed.mjs";
import { healthBlock } from "./health.mjs";
import { linksBlock } from "./links.mjs";
import { liveBlock, stateText } from "./live.mjs";
import { browsersBlock } from "./browsers.mjs";
import { pushBlock, recordingBlock } from "./outputs.mjs";
import { settingsBlock } from "./settings.mjs";
import { SettingsStore } from "./settings-store.mjs";
import { describe, signInByCode, signInForm, takeCode } from "./sign-in.mjs";
import { stationBlock } from "./station.mjs";
import { viewersBlock } from "./viewers.mjs";

const page = /** @type {HTMLElement} */ (document.getElementById("page"));
const locale = language(navigator.languages);
document.documentElement.lang = locale === "zh" ? "zh-CN" : locale;
/** @type {OwnerWords} */
const words = await (await fetch(new URL(`words.${locale}.json`, import.meta.url))).json();

/** @type {Feed | null} */
let feed = null;

const session = () => call("GET", "owner/session");

/** Returns whether this browser is signed in; true if the daemon cannot be reached, because it may be then. */
async function isSignedIn() {
  try {
    return Boolean((await session()).owner);
  } catch {
    return true;
  }
}

/**
 * Does something for the owner, and shows the error if it fails.
 * @template T
 * @param {() => Promise<T>} action
 */
async function act(action) {
  try {
    return await action();
  } catch (error) {
    if (/** @type {any} */ (error).status === 401) showSignIn(words.signIn.ended);
    else toast(describe(error, words));
    return null;
  }
}

/** @param {string} problem */
async function showSignIn(problem) {
  feed?.close();
  feed = null;
  const { secure } = await session().catch(() => ({ secure: false }));
  document.title = words.signIn.title;
  page.replaceChildren(signInForm(words, { problem, secure: secure || isLoopback(), done: showBlocks }));
  document.getElementById("token")?.focus();
}

const isLoopback = () => ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

function showBlocks() {
  /** @type {OwnerContext} */
  const context = { words, locale, act, state: () => current.state, up: () => current.up };
  const store = new SettingsStore(context);
  const blocks = [liveBlock, viewersBlock, linksBlock, recordingBlock, pushBlock, stationBlock, healthBlock, settingsBlock, browsersBlock].map((make) => make(context, store));
  const pill = el("p", { class: "pill", role: "status" }, el("i"), el("span"));
  const offline = el("p", { class: "offline", role: "status", text: words.reconnecting, hidden: true });
  const update = () => {
    const { stream } = current.state;
    offline.hidden = current.up || !stream;
    if (!stream) return;
    page.dataset.state = stream.state;
    setText(/** @type {Element} */ (pill.lastChild), stateText(stream.state, words));
    document.title = `${stateText(stream.state, words)} – ${words.title}`;
    for (const block of blocks) block.update();
    store.refresh(() => blocks.forEach((block) => block.update()));
  };
  const current = (feed = new Feed({ changed: update, signedOut: () => showSignIn(words.signIn.ended), isSignedIn }));
  const shown = blocks.map((block) => block.element);
  page.replaceChildren(
    el("header", { class: "top" }, el("h1", { text: words.title }), pill, el("a", { href: "./", class: "button", text: words.viewerPage })),
    offline, el("main", { class: "blocks" }, ...shown));
  feed.connect();
}

const code = takeCode();
const problem = code === null ? "" : await signInByCode(code, words);
if (!problem && (await isSignedIn())) showBlocks();
else await showSignIn(problem);
addEventListener("hashchange", () => location.reload());
