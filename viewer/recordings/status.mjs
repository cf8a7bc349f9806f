/** What is not a recording: the recorder's state, space and retention in words, and the notice where there is no list. */

import { ApiError } from "./api.mjs";

/** Difference of two time zones that is worth a line, in seconds. */
const ZONE = 60;

/** Returns which notice an error is. @param {unknown} error @param {boolean} hasToken  a token was sent @returns {NoticeName} */
export function noticeOf(error, hasToken) {
  if (!(error instanceof ApiError)) return "error";
  if (error.status === 0 || error.status >= 502) return "unreachable";
  if (error.status === 401 || error.status === 403) return hasToken ? "wrong" : "denied";
  if (error.status === 429) return "locked";
  return error.status === 409 || error.status === 404 ? "off" : "error"; // there is no such path without a recorder
}

/**
 * Returns space and retention in words.
 * @param {NonNullable<Listing["storage"]>} storage @param {RecordingsWords} words @param {import("./format.mjs").Format} format
 */
export function storageText({ bytes, free, keep_days: days, keep_bytes: most, keep_free: rest }, words, format) {
  const { storage } = words;
  const parts = [storage.used.replace("{used}", format.size(bytes)).replace("{free}", format.size(free))];
  if (days) parts.push(storage.days.replace("{days}", format.days(days)));
  if (most) parts.push(storage.size.replace("{size}", format.size(most)));
  if (rest) parts.push(storage.free.replace("{size}", format.size(rest)));
  if (!days && !most && !rest) parts.push(storage.forever);
  return parts.join(" · ");
}

/** Returns a sentence if the machine has another time zone, else "". @param {Listing} listing @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
export function zoneText({ now, utc_offset: offset }, words, format) {
  if (offset === undefined) return "";
  const difference = offset + new Date(now * 1000).getTimezoneOffset() * 60;
  return Math.abs(difference) < ZONE ? "" : words.zone.replace("{time}", format.clock(now + difference, "minute"));
}

export class StatusView {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    this.part(".title").textContent = words.title;
    this.part(".head .live span").textContent = words.live;
    this.part(".token .secret").ariaLabel = this.part(".token .secret").placeholder = words.notice.token;
    this.part(".token button").textContent = words.notice.enter;
    this.part(".notice .action").textContent = words.notice.retry;
  }

  /** @param {Listing} listing */
  show(listing) {
    const { words, format } = this;
    if (!words || !format) return;
    const { recorder, storage } = listing;
    const pill = this.part(".recorder");
    pill.hidden = !recorder;
    if (recorder) {
      pill.dataset.state = recorder.state;
      pill.querySelector("span").textContent = words.recorder[recorder.state];
      pill.title = recorder.problem;
    }
    this.part(".storage").textContent = storage ? storageText(storage, words, format) : "";
    this.part(".storage").title = words.storage.stars;
    this.part(".zone").textContent = zoneText(listing, words, format);
    this.banner(recorder?.state === "failed" ? `${words.recorder.failed}: ${recorder.problem}` : "");
  }

  /** @param {string} text  "": none */
  banner(text) {
    const banner = this.part(".banner");
    banner.hidden = !text;
    if (banner.textContent !== text) banner.textContent = text;
  }

  /** Shows a notice instead of the list; null: the list. @param {NoticeName | null} name @param {string} [detail] */
  notice(name, detail = "") {
    const { words } = this;
    for (const part of [".body", ".days"]) this.part(part).hidden = name !== null;
    this.part(".notice").hidden = name === null;
    if (name === null || !words) return;
    const sentence = words.notice[name];
    this.part(".notice").dataset.name = name;
    this.part(".notice h2").textContent = sentence.title;
    this.part(".notice .detail").textContent = sentence.detail ?? detail;
    this.part(".token").hidden = !["denied", "wrong", "locked"].includes(name);
    this.part(".notice .action").hidden = !["unreachable", "error", "off"].includes(name);
  }
}
