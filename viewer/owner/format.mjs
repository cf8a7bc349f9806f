/** Numbers as people read them. Pure. */

/** Returns seconds in the two largest units. @param {number} seconds @param {OwnerWords["units"]} units */
export function duration(seconds, units) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = /** @type {[number, string][]} */ ([
    [Math.floor(whole / 86400), units.d], [Math.floor(whole / 3600) % 24, units.h],
    [Math.floor(whole / 60) % 60, units.min], [whole % 60, units.s],
  ]);
  const first = Math.max(0, parts.findIndex(([count]) => count > 0));
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(" ") || `0 ${units.s}`;
}

/** Returns a bit rate given in kbit/s. @param {number | null} kilobits */
export function rate(kilobits) {
  if (kilobits === null) return "–";
  return kilobits < 1000 ? `${Math.round(kilobits)} kbit/s` : `${digits(kilobits / 1000)} Mbit/s`;
}

/** @param {number | null} count  in bytes */
export function bytes(count) {
  if (count === null) return "–";
  for (const [unit, size] of /** @type {[string, number][]} */ ([["TB", 1e12], ["GB", 1e9], ["MB", 1e6]])) {
    if (count >= size) return `${digits(count / size)} ${unit}`;
  }
  return `${Math.round(count / 1000)} kB`;
}

/** @param {number | null} fraction  from 0 to 1 */
export function percent(fraction) {
  return fraction === null ? "–" : `${Math.round(fraction * 100)} %`;
}

/** Returns at most three digits. @param {number} value */
function digits(value) {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, "");
}

/**
 * Returns how well a viewer is served: `good`, `fair`, `poor`, or `none` before anything is known.
 * @param {OwnerViewer} viewer
 */
export function health(viewer) {
  if (viewer.state !== "connected" || viewer.round_trip === null) return "none";
  if (viewer.loss >= 10 || viewer.round_trip >= 500) return "poor";
  return viewer.loss >= 2 || viewer.round_trip >= 250 || viewer.quality === "small" ? "fair" : "good";
}

/** Bits of `vcgencmd get_throttled`: what is so now, and what was since the start. */
const THROTTLED = /** @type {const} */ ([[0, "undervoltage"], [2, "throttled"], [1, "capped"], [3, "soft"]]);

/** Returns the code of the worst fact in the bits, and whether it is so now; null if all is well. @param {number | null} bits */
export function throttling(bits) {
  for (const shift of [0, 16]) {
    for (const [bit, code] of THROTTLED) {
      if (bits && bits & (1 << (bit + shift))) return { code, now: shift === 0 };
    }
  }
  return null;
}
