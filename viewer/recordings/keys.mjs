/** Keyboard shortcuts of the recordings. Pure. */

/** Commands by key; arrows with shift are named after it. @type {Readonly<Record<string, RecordingsCommand>>} */
export const KEYS = {
  " ": "play", k: "play", ArrowLeft: "back", ArrowRight: "forward", "shift+ArrowLeft": "backMinute", "shift+ArrowRight": "forwardMinute",
  ",": "frameBack", ".": "frameForward", Home: "first", End: "last", i: "markIn", o: "markOut", s: "clip", d: "download",
  Delete: "remove", m: "mute", f: "full", "+": "zoomIn", "-": "zoomOut", "?": "help",
};

/** Commands that a held key repeats. */
const REPEATED = ["back", "forward", "backMinute", "forwardMinute", "frameBack", "frameForward"];
const TYPED = ["textarea", "select", "option"];

/** Returns the command of a key press; null while typing, in a dialog, with a modifier, or for space on a button. @param {KeyPress & { shiftKey?: boolean }} event */
export function command(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return null;
  const { tagName = "", type = "", isContentEditable = false } = event.target ?? {};
  const tag = tagName.toLowerCase();
  const typing = isContentEditable || TYPED.includes(tag) || (tag === "input" && type !== "checkbox");
  if (typing || event.target?.closest?.("dialog") || (event.key === " " && (tag === "button" || tag === "a"))) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const name = event.shiftKey && key.startsWith("Arrow") ? `shift+${key}` : key;
  const found = Object.hasOwn(KEYS, name) ? KEYS[name] : null;
  return found && event.repeat && !REPEATED.includes(found) ? null : found;
}

/** How each key is written in the help. @param {string} key */
export function keyName(key) {
  const names = { " ": "␣", ArrowLeft: "←", ArrowRight: "→", "shift+ArrowLeft": "⇧ ←", "shift+ArrowRight": "⇧ →" };
  return Object.hasOwn(names, key) ? names[/** @type {keyof typeof names} */ (key)] : key;
}
