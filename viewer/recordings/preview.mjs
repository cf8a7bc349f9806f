/** The picture of a moment, beside the pointer: one request at a time, the newest wish wins. */

export class Preview {
  #wanted = "";
  #loading = false;

  /**
   * @param {HTMLElement} box  with an `<img>`, and a `<span>` for the text
   * @param {(time: number) => string | null} urlAt  null where nothing is recorded
   */
  constructor(box, urlAt) {
    this.box = box;
    this.urlAt = urlAt;
    this.image = /** @type {HTMLImageElement} */ (box.querySelector("img"));
    this.text = /** @type {HTMLElement} */ (box.querySelector("span"));
  }

  /** @param {number} time @param {number} x  in pixels from the left @param {number} width  of what it lies over @param {string} text */
  show(time, x, width, text) {
    this.box.hidden = false;
    this.text.textContent = text;
    const url = this.urlAt(time);
    this.box.classList.toggle("empty", !url);
    this.#wanted = url ?? "";
    if (!this.#loading) this.#load();
    const half = this.box.offsetWidth / 2;
    this.box.style.left = `${Math.max(half, Math.min(width - half, x))}px`;
  }

  hide() {
    this.box.hidden = true;
    this.#wanted = "";
  }

  async #load() {
    const url = this.#wanted;
    if (!url || url === this.image.src) return;
    this.#loading = true;
    const loaded = new Image();
    loaded.src = url;
    try {
      await loaded.decode();
      this.image.src = url;
    } catch {
      this.image.removeAttribute("src"); // the picture cannot be read; the time is still shown
    }
    this.#loading = false;
    if (this.#wanted !== url) this.#load();
  }
}
