/** The list of recordings as the page knows it: all of it at first, then what has changed at its end. Pure. */

import { endOf } from "./timeline.mjs";

/** What is being recorded reaches the disk this much later, in seconds. */
const DELAY = 4;

/** Gives an open recording the duration that can be played by now; that of a timelapse is unknown until it ends. @param {Listing} listing @returns {Listing} */
export function withOpen(listing) {
  const recordings = listing.recordings.map((one) => (one.open && one.kind !== "timelapse" ? { ...one, duration: Math.max(one.duration, listing.now - one.started - DELAY, 0) } : one));
  return { ...listing, recordings };
}

/** Replaces what is known from a time on. @param {Listing} old @param {Listing} fresh  from that time on @param {number} from @returns {Listing} */
export function merged(old, fresh, from) {
  const numbers = new Set(fresh.recordings.map(({ number }) => number));
  const before = old.recordings.filter((one) => endOf(one) <= from && (!one.open || one.kind === "timelapse") && !numbers.has(one.number));
  return {
    ...fresh,
    recordings: [...before, ...fresh.recordings].sort((a, b) => a.number - b.number),
    gaps: [...old.gaps.filter((gap) => gap.to <= from), ...fresh.gaps],
    marks: [...old.marks.filter((mark) => mark < from), ...fresh.marks],
  };
}
