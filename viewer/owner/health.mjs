/** The block Health: the machine's numbers, and the last lines of the log. */

import { fill } from "../words.mjs";
import { call } from "./api.mjs";
import { checkView } from "./check.mjs";
import { el, setText } from "./dom.mjs";
import { bytes, percent, throttling } from "./format.mjs";

const LEVELS = ["debug", "info", "warning", "error"];
const HOT = 80;

/** @param {OwnerContext} context */
export function healthBlock(context) {
  const { words, state } = context;
  const text = words.health;
  const numbers = el("dl", { class: "numbers-list" });
  const problem = el("p", { class: "problem", role: "status" });
  const log = logView(context);
  const check = checkView(context);
  const details = /** @type {HTMLDetailsElement} */ (el("details", { ontoggle: () => log.update(details.open) }, el("summary", { text: text.log }), log.element));

  function update() {
    const { machine, load, source } = state();
    if (!machine || !load) return;
    const used = machine.memory_total !== null && machine.memory_free !== null ? machine.memory_total - machine.memory_free : null;
    const rows = /** @type {[string, string][]} */ ([
      [text.cpu, machine.load === null ? percent(machine.cpu) : fill(text.cpuOf, { own: percent(machine.cpu / machine.cores), all: percent(machine.load) })],
      [text.memory, used === null ? bytes(machine.memory) : fill(text.of, { used: bytes(used), total: bytes(machine.memory_total) })],
      [text.temperature, machine.temperature === null ? "–" : `${Math.round(machine.temperature)} °C`],
      [text.disk, machine.disk_free === null ? "–" : fill(text.free, { free: bytes(machine.disk_free) })],
      [text.lag, `${load.loop_lag_p99} ms`],
      [text.version, source?.version ?? "–"],
    ]);
    while (numbers.children.length < rows.length) numbers.append(el("div", {}, el("dt"), el("dd")));
    rows.forEach(([name, value], index) => {
      const [term, definition] = numbers.children[index].children;
      setText(term, name);
      setText(definition, value);
    });
    setText(problem, problems(machine, load, text).join(" "));
    check.update();
    log.update(details.open);
  }

  const element = el("section", { class: "card", "aria-labelledby": "h-health" },
    el("header", {}, el("h2", { id: "h-health", text: text.title })), problem, numbers, check.element, details);
  return { element, update };
}

/**
 * @param {NonNullable<OwnerState["machine"]>} machine
 * @param {NonNullable<OwnerState["load"]>} load
 * @param {OwnerWords["health"]} text
 */
function problems(machine, load, text) {
  const throttled = throttling(machine.throttled);
  return [
    throttled && `${text.throttled[throttled.code]} ${throttled.now ? text.now : text.sinceStart}`,
    machine.temperature !== null && machine.temperature >= HOT && text.hot,
    load.overloaded && text.overloaded,
  ].filter((line) => typeof line === "string");
}

/** The log, loaded while it is open. @param {OwnerContext} context */
function logView({ words, act, state, locale }) {
  const text = words.health;
  const level = /** @type {HTMLSelectElement} */ (el("select", { id: "log-level", onchange: () => reload() },
    ...LEVELS.map((name) => el("option", { value: name, selected: name === "info", text: text.levels[name] }))));
  const list = el("ol", { class: "log", tabindex: "0", "aria-label": text.log });
  const time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  let last = 0;
  let loading = false;

  function reload() {
    last = 0;
    list.replaceChildren();
    update(true);
  }

  /** @param {boolean} open */
  async function update(open) {
    const newest = state().machine?.log ?? 0;
    if (!open || loading || newest === last) return;
    loading = true;
    const after = newest < last ? 0 : last; // the daemon was restarted
    const answer = await act(() => call("GET", `owner/log?level=${level.value}&after=${after}`));
    loading = false;
    if (!answer) return;
    last = newest;
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
    if (!after) list.replaceChildren();
    list.append(.../** @type {OwnerLogLine[]} */ (answer.lines).map(line));
    while (list.children.length > 500) list.firstChild?.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  /** @param {OwnerLogLine} entry */
  const line = (entry) => el("li", { class: entry.level }, el("time", { text: time.format(entry.at * 1000) }), " ", entry.text);

  const element = el("div", {}, el("label", { for: "log-level", text: text.level }), level, list);
  return { element, update };
}

