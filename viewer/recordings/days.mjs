/** Days and months in the viewer's time zone. Pure; times in Unix seconds, days as `2026-11-30`. */

/** @param {number} time @returns {string} */
export function dayOf(time) {
  const date = new Date(time * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Returns the first moment of a day, and that of the next; 23 to 25 hours lie between. @param {string} day @returns {Span} */
export function spanOfDay(day) {
  return { from: midnight(day, 0), to: midnight(day, 1) };
}

/** @param {string} day @param {number} count */
export function addDays(day, count) {
  return dayOf(midnight(day, count));
}

/**
 * Returns the days with at least a second of a picture, in order.
 * @param {readonly Recording[]} recordings
 */
export function recordedDays(recordings) {
  const days = new Set();
  for (const { started, duration } of recordings) {
    const last = dayOf(started + Math.max(0, duration - 1));
    for (let day = dayOf(started); day <= last; day = addDays(day, 1)) days.add(day);
  }
  return [...days].sort();
}

/**
 * Returns the weeks of a month, each of seven days; days of other months are included.
 * @param {string} month  such as `2026-11`
 * @param {number} firstDay  1: weeks begin on Monday, 7: on Sunday
 */
export function weeksOf(month, firstDay) {
  const first = `${month}-01`;
  const weekday = new Date(midnight(first, 0) * 1000).getDay() || 7;
  let day = addDays(first, -((weekday - firstDay + 7) % 7));
  const weeks = [];
  do {
    weeks.push(Array.from({ length: 7 }, (_, index) => addDays(day, index)));
    day = addDays(day, 7);
  } while (day.startsWith(month));
  return weeks;
}

/** @param {string} month @param {number} count */
export function addMonths(month, count) {
  const [year, number] = month.split("-").map(Number);
  return dayOf(new Date(year, number - 1 + count, 1).getTime() / 1000).slice(0, 7);
}

/** @param {string} day @param {number} after  days */
function midnight(day, after) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + after).getTime() / 1000;
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}
