/** Times, durations and sizes in the viewer's language and time zone. Pure; times in Unix seconds. */

/** Units of bytes for people, in thousands. */
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

export class Format {
  /** @param {string} locale @param {string} [timeZone]  only tests set it */
  constructor(locale, timeZone) {
    this.locale = locale;
    this.timeZone = timeZone;
    /** @param {Intl.DateTimeFormatOptions} options */
    const date = (options) => new Intl.DateTimeFormat(locale, { timeZone, ...options });
    const clock = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.formats = {
      minute: date(clock),
      second: date({ ...clock, second: "2-digit" }),
      day: date({ weekday: "short", day: "numeric", month: "short", year: "numeric" }),
      longDay: date({ weekday: "long", day: "numeric", month: "long", year: "numeric" }),
      month: date({ month: "long", year: "numeric" }),
      short: date({ day: "numeric", month: "short" }),
    };
  }

  /** @param {number} time @param {"minute" | "second"} [precision] */
  clock(time, precision = "second") {
    return this.formats[precision].format(time * 1000);
  }

  /** Returns a time with tenths of a second. @param {number} time */
  exact(time) {
    return `${this.clock(time)}.${Math.floor((time - Math.floor(time)) * 10)}`;
  }

  /** @param {number} time @param {"day" | "longDay" | "month" | "short"} kind */
  date(time, kind) {
    return this.formats[kind].format(time * 1000);
  }

  /** Returns two times, as exact as they need to be. @param {number} from @param {number} to */
  range(from, to) {
    const precision = to - from < 120 ? "second" : "minute";
    return `${this.clock(from, precision)} – ${this.clock(to, precision)}`;
  }

  /** Returns a duration such as `1h 5m`, `5m`, `12s`. @param {number} seconds */
  duration(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
    const parts = [this.#unit(hours, "hour"), this.#unit(minutes, "minute"), this.#unit(rest, "second")];
    const shown = [hours > 0, minutes > 0, hours === 0 && (rest > 0 || minutes === 0)];
    return parts.filter((_, index) => shown[index]).join(" ");
  }

  /** @param {number} days */
  days(days) {
    return new Intl.NumberFormat(this.locale, { style: "unit", unit: "day", unitDisplay: "long", maximumFractionDigits: 1 }).format(days);
  }

  /** @param {number} bytes */
  size(bytes) {
    const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
    const value = bytes / 1000 ** power;
    const options = { style: "unit", unit: UNITS[power], unitDisplay: "short", maximumFractionDigits: value < 10 && power > 0 ? 1 : 0 };
    return new Intl.NumberFormat(this.locale, /** @type {Intl.NumberFormatOptions} */ (options)).format(value);
  }

  /** Returns the first day of the week, 1 (Monday) to 7. */
  get firstDay() {
    try {
      const locale = /** @type {any} */ (new Intl.Locale(this.locale));
      return Number((locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay) || 1; // Firefox knows neither
    } catch {
      return 1;
    }
  }

  /** @param {number} value @param {string} unit */
  #unit(value, unit) {
    return new Intl.NumberFormat(this.locale, { style: "unit", unit, unitDisplay: "narrow" }).format(value);
  }
}
