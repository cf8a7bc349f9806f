/** What the daemon tells the owner's page: everything first, then the changes, over one WebSocket. */

const SUBPROTOCOL = "broadcaster.owner.v1";
/** Close code of a browser that is signed out. */
const SIGNED_OUT = 4001;
const LONGEST_WAIT = 10_000;

/**
 * Adds a message to what is known. The first message has the names of the viewers' columns.
 * @param {OwnerState} state
 * @param {Record<string, any>} message
 */
export function merge(state, message) {
  const { columns, viewers, gone, ...sections } = message;
  if (columns) Object.assign(state, { columns, viewers: new Map() });
  for (const [id, row] of Object.entries(viewers ?? {})) {
    const fields = state.columns.map((name, index) => [name, row[index]]);
    state.viewers.set(id, { id, ...Object.fromEntries(fields) });
  }
  for (const id of gone ?? []) state.viewers.delete(id);
  Object.assign(state, sections);
  return state;
}

export class Feed {
  /** @type {OwnerState} */
  state = { columns: [], viewers: new Map(), stream: null, source: null, load: null, push: [], recorder: null, machine: null, check: null, settings: null };
  up = false;
  wait = 500;
  /** @type {WebSocket | null} */
  socket = null;

  /** @param {{ changed: () => void, signedOut: () => void, isSignedIn: () => Promise<boolean> }} listener */
  constructor(listener) {
    this.listener = listener;
    addEventListener("online", () => this.#connectSoon(0));
    document.addEventListener("visibilitychange", () => document.hidden || this.up || this.#connectSoon(0));
  }

  connect() {
    clearTimeout(this.timer);
    this.close();
    const url = new URL("api/owner/events", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.socket = new WebSocket(url, SUBPROTOCOL));
    socket.onmessage = ({ data }) => this.#message(data);
    socket.onclose = ({ code }) => this.#closed(code);
  }

  close() {
    const { socket } = this;
    this.socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {string} data */
  #message(data) {
    this.up = true;
    this.wait = 500;
    merge(this.state, JSON.parse(data));
    this.listener.changed();
  }

  /** @param {number} code */
  async #closed(code) {
    this.up = false;
    this.listener.changed();
    if (code === SIGNED_OUT || !(await this.listener.isSignedIn())) return this.listener.signedOut();
    this.#connectSoon(this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
  }

  /** @param {number} wait  in ms */
  #connectSoon(wait) {
    if (this.up || !this.socket) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }
}
