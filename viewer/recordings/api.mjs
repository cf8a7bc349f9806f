/** The API of the recordings (`api/recordings`, `recordings/…`), relative to a base URL. */

export class ApiError extends Error {
  /** @param {number} status  of HTTP; 0: not reachable @param {string} text  of the answer */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Returns the text of an error: the API's is JSON, a proxy's may be anything. @param {string} body */
function errorText(body) {
  try {
    return String(JSON.parse(body).error ?? "");
  } catch {
    return body.trim();
  }
}

export class RecordingsApi {
  /** Lets media elements, which cannot send headers, have the files; empty if that is not necessary. */
  access = "";
  /** A viewer's or a link's token, to ask for access again; it is sent in a body, and is never in a URL. */
  #token = "";

  /** @param {string} base  URL that paths are relative to @param {typeof fetch} [fetcher] */
  constructor(base, fetcher = (...request) => fetch(...request)) {
    this.base = base;
    this.fetch = fetcher;
  }

  /** @param {string} path @param {Record<string, string | number | boolean>} [query]  true: without a value */
  url(path, query = {}) {
    /** @type {Record<string, string | number | boolean>} */
    const whole = this.access ? { ...query, access: this.access } : query;
    const parts = Object.entries(whole).filter(([, value]) => value !== false);
    const text = parts.map(([name, value]) => (value === true ? name : `${name}=${encodeURIComponent(value)}`)).join("&");
    return new URL(text ? `${path}?${text}` : path, this.base).href;
  }

  /** Returns the recordings that end after a time, with the machine's clock. @param {number} [from] @returns {Promise<Listing>} */
  async list(from) {
    const { answer, response } = await this.#call("GET", this.url("api/recordings", from === undefined ? {} : { from }));
    const now = answer.now ?? Date.parse(response.headers.get("date") ?? "") / 1000;
    return { gaps: [], marks: [], change: true, ...answer, now: now || Date.now() / 1000 };
  }

  /** Signs in as the owner, which sets a cookie, or gets access for a viewer. Raises `ApiError`. @param {string} token */
  async signIn(token) {
    const { pathname } = new URL("./", this.base);
    try {
      await this.#call("POST", this.#plain("api/owner/session"), { token, path: pathname });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      await this.#enter(token);
    }
  }

  /** Asks a viewer's access again before it ends. */
  async renew() {
    if (this.#token) await this.#enter(this.#token);
  }

  /** @param {Recording} recording @param {boolean} kept @returns {Promise<Recording>} */
  async keep({ name }, kept) {
    return (await this.#call("POST", this.#plain(`api/recordings/${name}`), { kept })).answer;
  }

  /** @param {Recording} recording */
  async remove({ name }) {
    await this.#call("DELETE", this.#plain(`api/recordings/${name}`));
  }

  /** @param {Span} span @returns {Promise<{ files: string[]; duration: number }>} */
  async saveClip({ from, to }) {
    return (await this.#call("POST", this.#plain("api/recordings/clips"), { from, to })).answer.clip;
  }

  /** Returns the URL of a link that ends. @param {Span | { name: string }} what @param {number} hours */
  async share(what, hours) {
    const { answer } = await this.#call("POST", this.#plain("api/recordings/shares"), { ...what, hours });
    return { url: this.#plain(answer.path), until: Number(answer.until) };
  }

  /** @param {number} mark */
  async removeMark(mark) {
    await this.#call("DELETE", this.#plain(`api/recordings/marks/${mark}`));
  }

  /** The file of a recording; an open one, unless it is a timelapse, as a film of what there is so far. @param {Recording} recording */
  source({ name, open, started, duration, kind }) {
    return open && kind !== "timelapse" ? this.exported({ from: started, to: started + duration }, true) : this.url(`recordings/${name}`);
  }

  /** @param {Recording} recording */
  download({ name, open, started, duration, kind }) {
    return open && kind !== "timelapse" ? this.exported({ from: started, to: started + duration }) : this.url(`recordings/${name}`, { download: true });
  }

  /** @param {Span} span @param {boolean} [inline]  to be played here */
  exported({ from, to }, inline = false) {
    return this.url("recordings/export.mp4", { from: from.toFixed(3), to: to.toFixed(3), inline });
  }

  /** @param {Span} span */
  playlist({ from, to }) {
    return this.url("recordings/film.m3u8", { from: from.toFixed(3), to: to.toFixed(3) });
  }

  /** @param {Recording} recording @param {number} [at]  seconds from its beginning */
  picture({ name }, at = 0) {
    return this.url(`recordings/${name}/picture.jpg`, at > 0 ? { at: at.toFixed(1) } : {});
  }

  /** @param {string} token  of a viewer or a link */
  async #enter(token) {
    this.access = (await this.#call("POST", this.#plain("api/recordings/access"), { token })).answer.access;
    this.#token = token;
  }

  /** @param {string} path */
  #plain(path) {
    return new URL(path, this.base).href;
  }

  /** @param {string} method @param {string} url @param {object} [body] @returns {Promise<{ answer: any; response: Response }>} */
  async #call(method, url, body) {
    /** @type {Record<string, string>} */
    const headers = body ? { "Content-Type": "application/json" } : {};
    let response;
    try {
      response = await this.fetch(url, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
    } catch {
      throw new ApiError(0, "");
    }
    if (!response.ok) throw new ApiError(response.status, errorText(await response.text()));
    return { answer: response.status === 204 ? null : await response.json(), response };
  }
}
