/** The viewer's token: read from the link's fragment, which browsers do not send to servers, and kept in `sessionStorage`. */

/** Returns the token in a fragment `#t=TOKEN`, or null. @param {string} hash */
export function tokenOf(hash) {
  return new URLSearchParams(hash.replace(/^#/, "")).get("t") || null;
}

export class TokenStore {
  /**
   * @param {() => Storage} storage  throws where storage is disabled; the token is then kept in memory only
   * @param {string} key  the page's path, because a proxy may serve several cameras on one origin
   */
  constructor(storage, key) {
    this.storage = storage;
    this.key = key;
    try {
      /** @type {string | undefined} */
      this.token = storage().getItem(this.key) ?? undefined;
    } catch {
      // Storage is disabled.
    }
  }

  /** @param {string} token */
  keep(token) {
    this.token = token;
    try {
      this.storage().setItem(this.key, token);
    } catch {
      // Storage is disabled.
    }
  }

  /**
   * Moves the token from the address bar to the store, so that screenshots do not show it. Returns whether there was one.
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
