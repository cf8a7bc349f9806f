/** The viewer's token: it comes behind the `#` of the link, which no server sees, and lives in `sessionStorage`. */

/** The token of a link's hash `#t=TOKEN`, or null. @param {string} hash */
export function tokenOf(hash) {
  return new URLSearchParams(hash.replace(/^#/, "")).get("t") || null;
}

export class TokenStore {
  /**
   * @param {() => Storage} storage  throws where it is forbidden: then the token lives as long as the page
   * @param {string} key  the page's path: a proxy may serve several cameras
   */
  constructor(storage, key) {
    this.storage = storage;
    this.key = key;
    try {
      /** @type {string | undefined} */
      this.token = storage().getItem(this.key) ?? undefined;
    } catch {
      // As above.
    }
  }

  /** @param {string} token */
  keep(token) {
    this.token = token;
    try {
      this.storage().setItem(this.key, token);
    } catch {
      // As above.
    }
  }

  /**
   * Takes the token out of the address bar, so that no screenshot shows it. True: there was one.
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
