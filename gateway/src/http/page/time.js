// Times, as people say them, in their own zone.

import { h } from "./dom.js";

const STEPS = [["minute", 60], ["hour", 3_600], ["day", 86_400], ["week", 604_800]];
const WEEKS = 4;
const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** A time, told from now; all of it when it is pointed at. */
export function when(text) {
  const time = new Date(text);
  return h("time", { datetime: text, title: whole.format(time) }, told(time));
}

function told(time) {
  const seconds = (time - Date.now()) / 1_000;
  const far = Math.abs(seconds);
  if (far < 45) return "just now";
  const [unit, length] = STEPS.findLast(([, length]) => far >= length) ?? STEPS[0];
  const count = Math.round(seconds / length) || Math.sign(seconds);
  return unit === "week" && Math.abs(count) > WEEKS ? day.format(time) : ago.format(count, unit);
}

/** A time for a field of type datetime-local, which knows no zones and, here, no seconds. */
export function toField(text) {
  if (!text) return "";
  const time = new Date(text);
  return new Date(time - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What such a field says, in UTC; null when it says nothing. */
export function fromField(value) {
  return value ? new Date(value).toISOString() : null;
}
