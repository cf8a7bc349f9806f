/** Texts of the page, from `words.*.json`. */

/** States whose text depends on the reason. */
const EXPLAINED = ["blocked", "reconnecting", "failed", "refused", "denied", "stopped", "unsupported"];

/** Loads the texts of a language; retries until that succeeds. @param {string} locale @param {string | URL} [base]  of the file's URL */
export async function loadWords(locale, base = import.meta.url) {
  try {
    const response = await fetch(new URL(`words.${locale}.json`, base));
    if (response.ok) return await response.json();
  } catch {
    // Not reachable: retry below.
  }
  await new Promise((done) => setTimeout(done, 1000));
  return loadWords(locale, base);
}

/**
 * Returns the texts with the verb that fits the device: one clicks with a mouse, and taps a touch screen.
 * @param {Words} words
 * @param {boolean} hasMouse
 * @returns {Words}
 */
export function forPointer(words, hasMouse) {
  return JSON.parse(JSON.stringify(words).replaceAll("{tap}", hasMouse ? words.click : words.tap));
}

/** Replaces `{name}` by `values.name`. @param {string} text @param {Record<string, string | number>} values */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Returns the text for a state: that of the reason if there is one, else that of the state.
 * @param {Words} words
 * @param {Pick<View, "state" | "reason" | "limit" | "up" | "retryIn">} view
 * @param {string} origin  of the page
 */
export function describe(words, { state, reason, limit, up, retryIn }, origin) {
  const own = words.states[state];
  const isLimitUnknown = state === "full" && !limit;
  const sentence = isLimitUnknown ? words.reasons.full : ((EXPLAINED.includes(state) && words.reasons[reason]) || own);
  const isConnecting = state === "reconnecting" && !up;
  return {
    title: state === "full" && limit === 1 ? words.onlyPlace : fill(sentence.title, { limit }),
    detail: isConnecting ? "" : fill(sentence.detail || (state === "reconnecting" && own.detail) || "", { origin }),
    action: own.action ?? "",
    retry: retryIn !== null ? fill(words.retryIn, { seconds: retryIn }) : isConnecting ? words.retrying : "",
  };
}
