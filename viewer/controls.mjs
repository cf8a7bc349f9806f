/** The control bar and the keyboard shortcuts. */

/** Commands by key. @type {Readonly<Record<string, Command>>} */
export const KEYS = {
  " ": "pause", k: "pause", m: "mute", f: "full", p: "pip", s: "snapshot", i: "stats", q: "quality", "?": "help",
};

/** Returns the command of a key press; null while typing, with a modifier, or for space on a button. @param {KeyPress} event */
export function command(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return null;
  const { tagName = "", type = "", isContentEditable = false } = event.target ?? {};
  const tag = tagName.toLowerCase();
  const typing = isContentEditable || tag === "textarea" || tag === "select" || (tag === "input" && type !== "range");
  if (typing || (event.key === " " && (tag === "button" || tag === "a"))) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return Object.hasOwn(KEYS, key) ? KEYS[key] : null;
}

/** Time in ms without pointer movement after which the controls are hidden. */
const HIDE_DELAY = 3000;

export class Controls {
  /**
   * @param {HTMLElement} view  the `<live-view>`
   * @param {import("./picture.mjs").LivePicture} picture
   * @param {Pick<ControlActions, "pause" | "stats" | "quality">} actions  commands that are executed elsewhere
   */
  constructor(view, picture, actions) {
    this.view = view;
    this.picture = picture;
    /** @type {any} because of Safari's own methods */
    this.video = picture.video;
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (view.querySelector(selector));
    this.volume = this.part(".volume");
    this.hideTimer = 0;
    view.dataset.controls = "hidden";
    /** @type {ControlActions} */
    this.actions = {
      ...actions,
      mute: () => this.picture.toggleMute(),
      full: () => this.toggleFull(),
      pip: () => this.togglePip(),
      snapshot: () => this.save(),
      help: () => this.toggleHelp(),
    };
    this.#hideUnavailable();
    this.#listen();
  }

  /** Sets all labels, also those for screen readers. @param {Words} words */
  label({ controls, tapForSound }) {
    this.part(".unmute span").textContent = tapForSound;
    this.part(".bar").ariaLabel = controls.bar;
    this.volume.ariaLabel = controls.volume;
    this.video.ariaLabel = controls.video;
    this.part(".help h2").textContent = controls.help;
    this.part(".help button").textContent = controls.close;
    for (const [key, action] of Object.entries(KEYS)) {
      const button = this.part(`.bar [data-command=${action}]`);
      if (button) button.ariaLabel = button.title = `${controls[action]} (${key})`;
      if (key !== " ") this.part(".help dl").append(cell("dt", key === "k" ? "k ␣" : key), cell("dd", controls[action]));
    }
  }

  /** Hides controls that this device does not support, such as the volume on iPhones. */
  #hideUnavailable() {
    this.part("[data-command=pip]").hidden = !document.pictureInPictureEnabled;
    this.part("[data-command=full]").hidden = !document.fullscreenEnabled && !this.video.webkitEnterFullscreen;
    this.video.volume = 0.5;
    this.volume.hidden = this.video.volume !== 0.5;
    this.video.volume = 1;
  }

  #listen() {
    const stage = this.part(".stage");
    this.view.addEventListener("click", (event) => this.#clicked(/** @type {any} */ (event.target)));
    this.view.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.showControls());
    stage.addEventListener("click", () => this.showControls(matchMedia("(hover: none)").matches));
    stage.addEventListener("dblclick", () => this.toggleFull());
    this.volume.addEventListener("input", () => this.#setVolume());
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** @param {Element} target */
  #clicked(target) {
    const button = /** @type {HTMLElement | null} */ (target.closest("[data-command]"));
    if (button) this.#run(/** @type {Command} */ (button.dataset.command));
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const action = command(event);
    if (!action) return;
    event.preventDefault();
    this.#run(action);
  }

  /** @param {Command} action */
  #run(action) {
    this.showControls();
    this.actions[action]();
  }

  /** Shows the controls for a while. @param {boolean} [toggle]  hide them if they are shown: a second touch */
  showControls(toggle = false) {
    clearTimeout(this.hideTimer);
    const { dataset } = this.view;
    const hide = () => (dataset.controls = "hidden");
    if (toggle && dataset.controls === "shown") return void hide();
    dataset.controls = "shown";
    this.hideTimer = window.setTimeout(hide, HIDE_DELAY);
  }

  #setVolume() {
    this.video.volume = this.volume.valueAsNumber;
    this.video.muted = this.video.volume === 0;
  }

  async toggleFull() {
    if (document.fullscreenElement) return document.exitFullscreen();
    if (document.fullscreenEnabled) return this.view.requestFullscreen({ navigationUI: "hide" }).catch(() => {});
    this.video.webkitEnterFullscreen?.();
  }

  async togglePip() {
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    return this.video.requestPictureInPicture().catch(() => {});
  }

  toggleHelp() {
    const help = this.part(".help");
    if (help.open) help.close();
    else help.showModal();
  }

  /** Saves the current frame as a PNG file named after the time. */
  save() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    canvas.toBlob((blob) => blob && download(blob, `${new Date().toLocaleString("sv").replace(/\D/g, "-")}.png`));
  }

  /** @param {string} stream  the stream's audio: `on`, `none` or `lost` @param {Words} words */
  showSound(stream, words) {
    const off = this.video.muted || this.video.volume === 0;
    const sound = stream !== "on" ? stream : off ? "muted" : "on";
    const { dataset } = this.view;
    if (sound === "on") dataset.unmutedOnce = "";
    dataset.sound = sound;
    this.volume.value = this.video.muted ? 0 : this.video.volume;
    const mute = this.part(".bar [data-command=mute]");
    mute.disabled = this.volume.disabled = stream !== "on";
    mute.ariaPressed = String(sound === "on");
    mute.title = words.sound[sound];
  }
}

/** @param {string} tag @param {string} textContent */
export function cell(tag, textContent) {
  return Object.assign(document.createElement(tag), { textContent });
}

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
