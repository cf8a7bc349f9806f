/** A list that renders only the rows that can be seen, and a few around them; all rows have the same height. */

/** Rows rendered above and below what is visible. */
const AROUND = 6;

/** Returns the first row to render and the one behind the last. @param {number} top  of the list, relative to what is visible, in pixels @param {number} height  of what is visible @param {number} row  height @param {number} count */
export function visibleRows(top, height, row, count) {
  const first = Math.floor(Math.max(0, -top) / row) - AROUND;
  const last = Math.ceil(Math.max(0, height - top) / row) + AROUND;
  return { first: Math.min(count, Math.max(0, first)), end: Math.min(count, Math.max(0, last)) };
}

/** @template Item */
export class WindowedList {
  /** @type {readonly Item[]} */
  items = [];
  /** rendered rows by key @type {Map<string, RenderedRow>} */
  #rows = new Map();
  #isDue = false;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} scroller  scrolls on wide pages; else the page does
   * @param {{ key: (item: Item) => string; version: (item: Item) => string; render: (item: Item) => HTMLElement }} ports
   *   `version`: rows are rendered again when it changes
   */
  constructor(list, scroller, ports) {
    this.list = list;
    this.scroller = scroller;
    this.ports = ports;
    const later = () => this.#later();
    document.addEventListener("scroll", later, { capture: true, passive: true });
    new ResizeObserver(later).observe(scroller);
    addEventListener("resize", later);
  }

  /** @param {readonly Item[]} items */
  show(items) {
    this.items = items;
    this.draw();
  }

  /** Scrolls to a row, if the list has a scroll bar of its own and the row is not visible. @param {number} index */
  reveal(index) {
    const [row, { scrollTop, clientHeight, scrollHeight }] = [this.#height(), this.scroller];
    if (scrollHeight <= clientHeight + 1 || index < 0) return;
    if (index * row < scrollTop || (index + 1) * row > scrollTop + clientHeight) this.scroller.scrollTop = index * row - clientHeight / 3;
  }

  draw() {
    const row = this.#height();
    const { list, items } = this;
    list.style.height = `${items.length * row}px`;
    const box = list.getBoundingClientRect();
    const view = this.scroller.getBoundingClientRect();
    const [top, bottom] = [Math.max(0, view.top), Math.min(innerHeight, view.bottom)];
    const { first, end } = visibleRows(box.top - top, Math.max(0, bottom - top), row, items.length);
    /** @type {Map<string, RenderedRow>} */
    const rows = new Map();
    items.slice(first, end).forEach((item, place) => this.#place(rows, item, first + place, row));
    for (const [key, { element }] of this.#rows) if (!rows.has(key) && !this.#keepFocused(rows, key, row)) element.remove();
    this.#rows = rows;
  }

  /** @param {Map<string, RenderedRow>} rows @param {Item} item @param {number} index @param {number} height */
  #place(rows, item, index, height) {
    const [key, version] = [this.ports.key(item), this.ports.version(item)];
    const old = this.#rows.get(key);
    const element = old?.version === version ? old.element : this.ports.render(item);
    if (old && old.element !== element) this.#replace(old.element, element);
    else if (!old) this.list.append(element);
    element.style.top = `${index * height}px`;
    element.ariaSetSize = String(this.items.length);
    element.ariaPosInSet = String(index + 1);
    rows.set(key, { element, version });
  }

  /** Replaces a row; the focus stays on the same button. @param {HTMLElement} old @param {HTMLElement} element */
  #replace(old, element) {
    const focused = [...old.querySelectorAll("button, a")].indexOf(/** @type {Element} */ (document.activeElement));
    old.replaceWith(element);
    if (focused >= 0) /** @type {HTMLElement | undefined} */ (element.querySelectorAll("button, a")[focused])?.focus();
  }

  /** A row with the focus stays, even where nobody sees it. @param {Map<string, RenderedRow>} rows @param {string} key @param {number} height */
  #keepFocused(rows, key, height) {
    const row = this.#rows.get(key);
    if (!row?.element.contains(document.activeElement)) return false;
    const index = this.items.findIndex((item) => this.ports.key(item) === key);
    if (index < 0) return false;
    row.element.style.top = `${index * height}px`;
    rows.set(key, row);
    return true;
  }

  #later() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => ((this.#isDue = false), this.draw()));
  }

  #height() {
    return Number.parseFloat(getComputedStyle(this.list).getPropertyValue("--row")) || 80;
  }
}
