/** The viewer's token: from the link's fragment, which browsers do not send to servers, stored in `sessionStorage`. */

/** The token of a link's hash `#t=TOKEN`, or null. @param {string} hash */
export function tokenOf(hash) {
  return new URLSearchParams(hash.replace(/^#/, "")).get("t") || null;
}

export class TokenStore {
  /**
   * @param {() => Storage} storage  throws if storage is not allowed; then the token is lost when the page is closed
   * @param {string} key  the page's path, because a proxy may serve several cameras
   */
  constructor(storage, key) {
    this.storage = storage;
    this.key = key;
    try {
      /** @type {string | undefined} */
      this.token = storage().getItem(this.key) ?? undefined;
    } catch {
      // Storage is not allowed.
    }
  }

  /** @param {string} token */
  keep(token) {
    this.token = token;
    try {
      this.storage().setItem(this.key, token);
    } catch {
      // Storage is not allowed.
    }
  }

  /**
   * Stores the token of the link, and removes it from the address bar. False if there is none.
   * @param {Location} location
   * @param {History} history
   */
  take(location, history) {
    const token = tokenOf(location.hash);
    if (token === null) return false;
    this.keep(token);
    history.replaceState(null, "", location.pathname + location.search);
    return true;
  }
}
