/** Chooses the day: arrows to the days with recordings, and a calendar in which they are marked. */

import { addMonths, dayOf, spanOfDay, weeksOf } from "./days.mjs";

export class DayPicker {
  day = dayOf(Date.now() / 1000);
  /** days with recordings, in order @type {string[]} */
  days = [];
  month = this.day.slice(0, 7);

  /** @param {HTMLElement} root @param {(day: string) => void} chosen */
  constructor(root, chosen) {
    this.chosen = chosen;
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
    this.dialog = /** @type {HTMLDialogElement} */ (this.part("dialog.calendar"));
    this.dialog.addEventListener("click", (event) => this.#clicked(event));
    this.dialog.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    this.dialog.ariaLabel = words.day.choose;
  }

  /** @param {string} day @param {string[]} days */
  show(day, days) {
    this.day = day;
    this.days = days;
    const { words, format } = this;
    if (!words || !format) return;
    const today = dayOf(Date.now() / 1000);
    const noon = middle(day);
    const near = day === today ? words.day.today : day === dayOf(middle(today) - 86_400) ? words.day.yesterday : "";
    this.part(".day span").textContent = near ? `${near}, ${format.date(noon, "short")}` : format.date(noon, "day");
    this.part(".day").title = format.date(noon, "longDay");
    this.part("[data-command=previousDay]").disabled = this.neighbour(-1) === null;
    this.part("[data-command=nextDay]").disabled = this.neighbour(1) === null;
  }

  /** Returns the nearest day with recordings in a direction, or today; null if there is none. @param {1 | -1} direction */
  neighbour(direction) {
    if (direction < 0) return this.days.filter((day) => day < this.day).at(-1) ?? null;
    const today = dayOf(Date.now() / 1000);
    return this.days.find((day) => day > this.day) ?? (today > this.day ? today : null);
  }

  open() {
    this.month = this.day.slice(0, 7);
    this.#draw();
    this.dialog.showModal();
    this.#focus(this.day);
  }

  /** @param {number} count */
  turn(count) {
    this.month = addMonths(this.month, count);
    this.#draw();
  }

  #draw() {
    const { format, month, words } = this;
    if (!format || !words) return;
    const recorded = new Set(this.days);
    const today = dayOf(Date.now() / 1000);
    this.part(".month h3").textContent = format.date(middle(`${month}-15`), "month");
    const weeks = weeksOf(month, format.firstDay);
    const weekday = new Intl.DateTimeFormat(format.locale, { weekday: "narrow" });
    this.part(".calendar thead tr").replaceChildren(...weeks[0].map((day) => cell("th", weekday.format(middle(day) * 1000))));
    this.part(".calendar tbody").replaceChildren(...weeks.map((week) => row(week.map((day) => this.#day(day, recorded.has(day), today)))));
  }

  /** @param {string} day @param {boolean} recorded @param {string} today */
  #day(day, recorded, today) {
    const { words, format } = this;
    const box = cell("td", "");
    const name = format?.date(middle(day), "longDay") ?? day;
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: String(Number(day.slice(8))) });
    button.dataset.day = day;
    button.ariaLabel = (recorded ? words?.day.recorded : words?.day.none)?.replace("{day}", name) ?? name;
    button.classList.toggle("recorded", recorded);
    button.classList.toggle("other", !day.startsWith(this.month));
    button.disabled = !recorded && day !== today;
    if (day === this.day) button.ariaCurrent = "date";
    box.append(button);
    return box;
  }

  /** @param {string} day */
  #focus(day) {
    const buttons = [...this.dialog.querySelectorAll("button")];
    (buttons.find((button) => button.dataset.day === day && !button.disabled) ?? buttons.find((button) => button.dataset.day && !button.disabled))?.focus();
  }

  /** @param {Event} event */
  #clicked(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target === this.dialog) return this.dialog.close(); // the backdrop
    const { day } = target.closest("button")?.dataset ?? {};
    if (!day) return;
    this.dialog.close();
    this.chosen(day);
  }

  /** Arrows move among the days that can be chosen. @param {KeyboardEvent} event */
  #pressed(event) {
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
    const from = /** @type {HTMLElement} */ (event.target).dataset.day;
    const step = steps[event.key];
    if (!from || !step) return;
    event.preventDefault();
    const all = /** @type {HTMLButtonElement[]} */ ([...this.dialog.querySelectorAll("button[data-day]")]);
    let index = all.findIndex((button) => button.dataset.day === from) + step;
    while (all[index]?.disabled) index += Math.sign(step);
    all[index]?.focus();
  }
}

/** @param {string} day */
function middle(day) {
  const { from, to } = spanOfDay(day);
  return (from + to) / 2;
}

/** @param {string} tag @param {string} textContent */
function cell(tag, textContent) {
  return Object.assign(document.createElement(tag), { textContent });
}

/** @param {HTMLElement[]} cells */
function row(cells) {
  const element = document.createElement("tr");
  element.append(...cells);
  return element;
}
