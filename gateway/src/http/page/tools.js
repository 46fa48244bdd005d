// A tool that was called, folded: its name and what it was called with in one line, all of it and its result when it is opened.

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** What is longer is not laid out anew. */
const MOST_PRETTY = 100_000;
const MOST_GIST = 80;

/** A call that waits for its result. */
export class Call {
  #state = h("span", { class: "state" }, "running");
  #result = h("div");

  constructor({ name, arguments: given }) {
    this.element = h("details", { class: "call" },
      h("summary", null, icon("tool"), h("code", null, name), h("span", { class: "gist", dir: "auto" }, gist(given)), this.#state),
      h("h3", null, "Called with"), text(given), this.#result);
  }

  /** Its result has come. */
  answer(content) {
    this.#state.textContent = isRefusal(content) ? "refused" : "done";
    this.#result.replaceChildren(h("h3", null, "Answered"), text(content));
  }

  /** Nothing will come any more. */
  give() {
    if (this.#state.textContent === "running") this.#state.textContent = "no answer";
  }
}

/** Whether a result says why a call was not carried out. */
function isRefusal(content) {
  if (content.length > MOST_PRETTY || !content.startsWith("{")) return false;
  try {
    return typeof JSON.parse(content).error === "string";
  } catch {
    return false;
  }
}

/** A result whose call is not here. */
export function lone(content) {
  return h("details", { class: "call" }, h("summary", null, icon("tool"), h("span", { class: "gist" }, "a tool's answer")), text(content));
}

function text(content) {
  return h("pre", { tabindex: "0", dir: "auto" }, pretty(content));
}

function pretty(content) {
  if (content.length > MOST_PRETTY) return content;
  try {
    return JSON.stringify(JSON.parse(content), null, 2);
  } catch {
    return content;
  }
}

/** The values of the arguments, as far as they fit. */
function gist(given) {
  let values = given;
  try {
    const read = JSON.parse(given);
    if (read && typeof read === "object") values = Object.values(read).map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" · ");
  } catch {
    // As the agent wrote it.
  }
  return values.length > MOST_GIST ? `${values.slice(0, MOST_GIST)}…` : values;
}
