/**
 * The element `<recordings-view>`: a day's timeline, its film, and the list of recordings. Attributes: `api`, the base of the
 * API's URLs (default: the page's); `live`, a link to the live picture; `level`, of its heading (default 2).
 */

import { RecordingsApp } from "./recordings-app.mjs";

export class RecordingsView extends HTMLElement {
  /** @type {RecordingsApp | null} */
  app = null;

  connectedCallback() {
    this.app ??= new RecordingsApp(this);
    this.app.start();
  }

  disconnectedCallback() {
    this.app?.stop();
  }
}

customElements.define("recordings-view", RecordingsView);
