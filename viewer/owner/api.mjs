/** Calls of the owner's API. */

export class ApiError extends Error {
  /** @param {number} status  0 if nothing answered @param {string} message @param {number} [retryAfter]  seconds */
  constructor(status, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/**
 * Returns the daemon's answer. Throws `ApiError`.
 * @param {string} method
 * @param {string} path  below `api/`
 * @param {object} [body]
 */
export async function call(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : undefined;
  /** @type {Response} */
  let response;
  try {
    response = await fetch(new URL(`api/${path}`, location.href), { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "");
  }
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : {};
  throw new ApiError(response.status, errorText(text), Number(response.headers.get("Retry-After") ?? 0));
}

/** Returns the message of an error, which is JSON or plain text. @param {string} text */
export function errorText(text) {
  try {
    return String(JSON.parse(text).error ?? text);
  } catch {
    return text.trim();
  }
}

/** The page's own folder: a proxy may serve it below a path. */
export const base = () => new URL("./", location.href);
