// What went wrong, in the gateway's own words; what went well, for a moment; and what is read aloud.

import { Problem } from "./api.js";
import { h } from "./dom.js";

const SHOWN_MS = 4_000;

/** A problem, to stand where it came up. */
export function problem(error, ...actions) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  const shown = known ? error : { title: "The page failed", detail: String(error?.message ?? error), hint: "Load it again." };
  return h("div", { class: "problem", role: "alert" },
    h("p", { class: "what" }, sentence(shown.detail || shown.title)),
    shown.hint ? h("p", { class: "hint" }, sentence(shown.hint)) : null,
    actions.length ? h("p", { class: "actions" }, actions) : null);
}

/** Says that something was done. */
export function done(text) {
  const shown = h("p", { class: "toast" }, text);
  document.getElementById("notices").replaceChildren(shown);
  setTimeout(() => shown.remove(), SHOWN_MS);
}

/** Has this read aloud, behind what was said before. */
export function speak(text) {
  const spoken = document.getElementById("spoken");
  spoken.append(h("p", null, text));
  while (spoken.childElementCount > 50) spoken.firstElementChild.remove();
}

/** Reads a text aloud that grows, sentence by sentence: word by word, nobody could follow. */
export class Speaker {
  #pending = "";

  add(piece) {
    this.#pending += piece;
    const end = Math.max(...[". ", "! ", "? ", "\n"].map((mark) => this.#pending.lastIndexOf(mark) + mark.length - 1));
    const said = this.#pending.slice(0, Math.max(end, 0)).trim();
    if (!said) return;
    this.#pending = this.#pending.slice(end);
    speak(said);
  }

  end() {
    if (this.#pending.trim()) speak(this.#pending.trim());
    this.#pending = "";
  }
}

/** What the gateway says, as a sentence's beginning; what is between backticks is code. */
export function sentence(text) {
  const parts = (text.charAt(0).toUpperCase() + text.slice(1)).split("`");
  return parts.map((part, n) => (n % 2 && n < parts.length - 1 ? h("code", null, part) : part));
}
