/** The choice of the rendition, and whether the daemon knows it. */

export class Preference {
  /** @type {QualityPreference} */
  value = "auto";
  /** as the daemon's session knows it; null while that is uncertain @type {QualityPreference | null} */
  known = "auto";
  sentAt = Infinity;

  /** @param {(preference: QualityPreference) => void} transmit */
  constructor(transmit) {
    this.transmit = transmit;
  }

  /** @param {QualityPreference} value @param {number | null} now  null while there is no session */
  choose(value, now) {
    this.value = value;
    this.known = null;
    if (now !== null) this.send(now);
  }

  /** Sends the choice unless the session knows it. @param {number} now */
  send(now) {
    if (this.value === this.known) return;
    this.known = null;
    this.sentAt = now;
    this.transmit(this.value);
  }

  /** The session is new. */
  forget() {
    this.known = "auto";
  }

  /** The answer to a heartbeat that was sent after the choice shows that the choice has arrived. @param {number | undefined} sent */
  answered(sent) {
    if (sent != null && sent > this.sentAt) this.known = this.value;
  }
}
