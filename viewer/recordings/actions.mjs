/** What changes recordings: keep, delete, save a clip, share; each shows its result or its error. */

import { ShareDialog, ask } from "./dialogs.mjs";
import { endOf } from "./timeline.mjs";

export class Actions {
  /**
   * @param {HTMLElement} root
   * @param {import("./api.mjs").RecordingsApi} api
   * @param {{ tell: (text: string) => void; reload: () => Promise<void>; removing: (recording: Recording) => void }} ports
   *   `tell` shows a line for a while
   */
  constructor(root, api, ports) {
    this.api = api;
    this.ports = ports;
    this.question = /** @type {HTMLDialogElement} */ (root.querySelector("dialog.ask"));
    this.shareDialog = new ShareDialog(/** @type {HTMLDialogElement} */ (root.querySelector("dialog.share")));
  }

  /** @param {RecordingsWords} words @param {import("./format.mjs").Format} format */
  label(words, format) {
    this.words = words;
    this.format = format;
    this.shareDialog.label(words, format);
  }

  /** @param {Recording} recording */
  keep(recording) {
    return this.#try(() => this.api.keep(recording, !recording.kept));
  }

  /** Deletes a recording after one question. @param {Recording} recording */
  async remove(recording) {
    const { words, format } = this;
    if (!words || !format || recording.open) return;
    const { started, size } = recording;
    const [day, range] = [format.date(started, "day"), format.range(started, endOf(recording))];
    const detail = words.ask.detail.replace("{day}", day).replace("{range}", range).replace("{size}", format.size(size));
    if (!(await ask(this.question, { title: words.ask.remove, detail, yes: words.ask.yes, no: words.ask.no }))) return;
    await this.#try(async () => {
      await this.api.remove(recording);
      this.ports.removing(recording);
      this.ports.tell(words.ask.removed);
    });
  }

  /** @param {Span} span */
  async saveClip(span) {
    const { words, format } = this;
    if (!words || !format) return;
    this.ports.tell(words.cut.saving);
    await this.#try(async () => {
      await this.api.saveClip(span);
      this.ports.tell(words.cut.saved.replace("{range}", format.range(span.from, span.to)));
    });
  }

  /** Makes a link to a part, or to a recording. @param {Span | null} span @param {Recording | null} recording */
  share(span, recording) {
    const { format } = this;
    const part = span ?? (recording && { from: recording.started, to: endOf(recording) });
    if (!format || !part) return;
    const what = span || !recording || recording.open ? part : { name: recording.name };
    this.shareDialog.open(format.range(part.from, part.to), (hours) => this.api.share(what, hours));
  }

  /** @param {number} mark */
  removeMark(mark) {
    return this.#try(() => this.api.removeMark(mark));
  }

  /** @param {() => Promise<unknown>} change */
  async #try(change) {
    try {
      await change();
    } catch (error) {
      this.ports.tell(/** @type {Error} */ (error).message || this.words?.notice.unreachable.title || "");
    }
    await this.ports.reload();
  }
}
