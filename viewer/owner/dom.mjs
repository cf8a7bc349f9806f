/** Builds and updates elements, without HTML in strings. */

/**
 * Returns a new element. Properties are attributes; `on…` are listeners, and `text` is the content.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null | false)} children
 * @returns {HTMLElement}
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== false)));
  return element;
}

/** Sets the text of an element, unless it has it already: a screen reader announces each change. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `parent` those of `keys`, in this order; elements are kept, so that the focus is.
 * @template T
 * @param {Element} parent
 * @param {[string, T][]} entries
 * @param {(value: T, key: string) => HTMLElement & { update?: (value: T) => void }} make
 */
export function syncList(parent, entries, make) {
  const before = new Map([.../** @type {any} */ (parent.children)].map((child) => [child.dataset.key, child]));
  entries.forEach(([key, value], index) => {
    let child = before.get(key);
    before.delete(key);
    if (!child) {
      child = make(value, key);
      child.dataset.key = key;
    }
    child.update?.(value);
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  for (const child of before.values()) child.remove();
}

/**
 * Returns an SVG picture of a QR code with its quiet zone of four modules (ISO/IEC 18004).
 * @param {{ size: number, path: string }} code
 * @param {string} label
 */
export function qrPicture(code, label) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("viewBox", `-4 -4 ${code.size + 8} ${code.size + 8}`);
  picture.setAttribute("class", "qr");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", code.path);
  picture.append(path);
  return picture;
}

/** Shows a short message for some seconds. @param {string} text */
export function toast(text) {
  const line = /** @type {HTMLElement} */ (document.querySelector(".toast"));
  line.textContent = text;
  line.dataset.shown = "";
  clearTimeout(Number(line.dataset.timer));
  line.dataset.timer = String(setTimeout(() => delete line.dataset.shown, 6000));
}

/**
 * Asks one question in a dialog; resolves to whether the answer is yes.
 * @param {{ title: string, detail?: string, yes: string, no: string }} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, detail, yes, no }) {
  return new Promise((answer) => {
    const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "ask", "aria-labelledby": "ask-title" },
      el("h2", { id: "ask-title", text: title }),
      detail ? el("p", { text: detail }) : null,
      el("form", { method: "dialog", class: "buttons" },
        el("button", { value: "no", text: no, autofocus: true }),
        el("button", { value: "yes", class: "danger", text: yes }))));
    dialog.addEventListener("close", () => { answer(dialog.returnValue === "yes"); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
