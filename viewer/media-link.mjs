/** The stream over the web, for networks and browsers without WebRTC: opens it when it is needed, and again when it ends. */

/** Time in ms without a working peer connection after which the stream is requested over the web. */
export const PATIENCE = 3000;
/** Time between two attempts to return to WebRTC. */
export const RETURN_INTERVAL = 30_000;
/** A ticket is not used when it is older; the daemon accepts it for 30 s. */
export const TICKET_LIFETIME = 25_000;
/** Time after which the request for a ticket is repeated. */
const TICKET_TIMEOUT = 3000;
/** Time for the first init segment of a live stream to arrive. */
export const OPEN_TIMEOUT = 8000;
/** Number of failures in a row after which this way counts as closed, too. */
export const MAX_FAILURES = 2;
const FIRST_DELAY = 500;
const MAX_DELAY = 15_000;

export class MediaLink {
  /** @type {Player | null} */
  player = null;
  /** the way to use until WebRTC works */
  chosen = false;
  /** the frames shown are the player's */
  showing = false;
  /** failures since the last frame */
  failures = 0;
  /** when a new peer connection is due, to return to WebRTC */
  returnAt = Infinity;
  /** @type {number | null} since when the stream is needed */
  neededSince = null;
  /** the daemon's offer of this way; a ticket is good for one connection @type {{url: string, ticket: string | null, at: number} | null} */
  grant = null;
  requestedAt = -Infinity;
  retryAt = -Infinity;
  openedAt = 0;
  /** changes with each attempt, and when one is abandoned */
  attempt = 0;
  isOpen = false;

  /** @param {MediaLinkPorts} ports */
  constructor(ports) {
    this.ports = ports;
  }

  /** Whether browser and daemon have this way at all. */
  get isPossible() {
    return this.grant !== null && this.ports.hasMediaSource();
  }

  /** Whether this way does not work at the moment. */
  get isFailing() {
    return !this.isPossible || this.failures >= MAX_FAILURES;
  }

  /** The daemon has sent a ticket, or does not offer this way. @param {MediaGrant | null | undefined} media */
  granted(media) {
    this.grant = media ? { ...media, at: this.ports.now() } : null;
  }

  /** WebRTC does not work: no need to wait. */
  choose() {
    this.chosen = true;
  }

  /** Opens the connection if it is needed; to be called several times per second. @param {boolean} needed  no peer connection plays a live stream */
  check(needed) {
    const now = this.ports.now();
    this.neededSince = needed ? (this.neededSince ?? now) : null;
    if (!needed || this.showing) this.openedAt = now;
    else if (this.isOpen && now - this.openedAt >= OPEN_TIMEOUT) this.#lost("no answer", false);
    if (this.neededSince === null || this.isOpen || !this.isPossible || now < this.retryAt) return;
    if (this.chosen || now - this.neededSince >= PATIENCE) this.#open(now);
  }

  /** Opens a new connection, because the current one shows nothing. */
  reopen() {
    this.close();
    this.retryAt = -Infinity;
  }

  /** A frame of the player was shown. */
  frameShown() {
    this.failures = 0;
  }

  /** WebRTC works again. */
  leave() {
    this.chosen = false;
    this.neededSince = null;
    this.close();
  }

  /** Closes the connection, keeping the last picture. */
  close() {
    this.attempt += 1;
    this.player?.close();
    this.player = null;
    this.isOpen = false;
    if (!this.showing) return;
    this.showing = false;
    this.ports.closed();
  }

  /** @param {number} now */
  #open(now) {
    this.chosen = true;
    const { grant } = this;
    if (grant?.ticket && now - grant.at < TICKET_LIFETIME) this.#connect(grant.url, grant.ticket);
    else if (now - this.requestedAt >= TICKET_TIMEOUT) {
      this.requestedAt = now;
      this.ports.send({ type: "media" });
    }
  }

  /** @param {string} url @param {string} ticket */
  async #connect(url, ticket) {
    const attempt = (this.attempt += 1);
    const current = () => attempt === this.attempt;
    this.isOpen = true;
    this.openedAt = this.ports.now();
    this.requestedAt = -Infinity;
    if (this.grant) this.grant.ticket = null;
    try {
      const player = await this.ports.player({ url, ticket }, {
        showing: () => current() && this.#showing(),
        lost: (why, isFinal) => current() && this.#lost(why, isFinal),
      });
      if (current()) this.player = player;
      else player.close();
    } catch (error) {
      if (current()) this.#lost(String(error), false);
    }
  }

  #showing() {
    if (this.showing) return;
    this.showing = true;
    this.returnAt = this.ports.now() + RETURN_INTERVAL;
    this.ports.showing();
  }

  /** @param {string} why @param {boolean} isFinal */
  #lost(why, isFinal) {
    this.ports.log(`the stream over the web has ended: ${why}`);
    this.close();
    this.failures += 1;
    if (isFinal) this.grant = null;
    this.retryAt = this.failures > 1 ? this.ports.now() + Math.min(MAX_DELAY, FIRST_DELAY * 2 ** this.failures) : -Infinity;
    this.ports.lost(why);
  }
}
