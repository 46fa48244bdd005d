// What was said in a session, and what is being said. It is told of messages, drafts and pieces as they come, in any order that a connection
// that broke makes of them, and shows each message once.

import { h } from "./dom.js";
import { markdown } from "./markdown.js";
import { Speaker } from "./notice.js";
import { Call, lone } from "./tools.js";

/** How a message ended, where there is something to say. */
const ENDINGS = { limited: "A limit was reached", stopped: "Stopped", interrupted: "Interrupted", failed: "The model failed" };

export class Transcript {
  #agent;
  #last = 0;
  #seen = new Set();
  #calls = new Map();
  #draft = "";
  #drawing = 0;
  #speaker = new Speaker();
  #writing;

  constructor(agent) {
    this.#agent = agent;
    this.element = h("ol", { class: "transcript", "aria-label": "What was said" });
  }

  /** The place of the last message. */
  get last() {
    return this.#last;
  }

  get isEmpty() {
    return this.#seen.size === 0;
  }

  /** Puts older messages, in order, before all others. */
  prepend(messages) {
    const items = messages.filter((message) => this.#isNew(message)).map((message) => this.#item(message)).filter(Boolean);
    this.element.prepend(...items);
  }

  /** A message that is stored takes the place of its draft. */
  add(message, { isLive = false } = {}) {
    if (!this.#isNew(message)) return;
    if (message.role === "assistant") this.#drop();
    const item = this.#item(message);
    if (item) this.element.append(item);
    if (isLive && message.role === "assistant") this.#speaker.end();
    if (message.role === "user") this.waiting();
  }

  /** Shows that the agent has been asked, and has not said anything yet. */
  waiting() {
    this.#drop();
    this.#writing = h("li", { class: "said by-agent writing" }, h("p", { class: "name" }, h("bdi", null, this.#agent)), h("div", { class: "dots", role: "img", "aria-label": "is working" }, h("i"), h("i"), h("i")));
    this.element.append(this.#writing);
  }

  /** The text so far, in place of what was shown of it. */
  draft(text) {
    if (!this.#writing) this.waiting();
    this.#draft = text;
    this.#draw();
  }

  piece(text) {
    this.#speaker.add(text);
    this.draft(this.#draft + text);
  }

  /** Nothing is being written any more. */
  end() {
    this.#speaker.end();
    this.#drop();
    for (const call of this.#calls.values()) call.give();
  }

  #isNew(message) {
    if (this.#seen.has(message.seq)) return false;
    this.#seen.add(message.seq);
    this.#last = Math.max(this.#last, message.seq);
    return true;
  }

  /** Draws the draft with the next frame: pieces come faster than anybody sees. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      const text = this.#writing?.lastElementChild;
      if (text && this.#draft) text.replaceWith(markdown(this.#draft));
    });
  }

  #drop() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    this.#draft = "";
    this.#writing?.remove();
    this.#writing = null;
  }

  #item(message) {
    if (message.role === "tool") return this.#result(message);
    if (message.role === "user") return h("li", { class: "said by-user" }, h("p", { class: "name" }, "You"), markdown(message.content));
    const calls = (message.tool_calls ?? []).map((given) => {
      const call = new Call(given);
      this.#calls.set(given.id, call);
      return call.element;
    });
    const ending = ENDINGS[message.finish];
    return h("li", { class: "said by-agent" },
      h("p", { class: "name" }, h("bdi", null, this.#agent)),
      message.content.trim() ? markdown(message.content) : null,
      calls,
      ending ? h("p", { class: `ending ${message.finish}` }, message.error ? `${ending}: ${message.error}` : `${ending}.`) : null);
  }

  #result(message) {
    const call = this.#calls.get(message.tool_call_id);
    if (!call) return h("li", { class: "said by-agent" }, lone(message.content));
    call.answer(message.content);
    this.#calls.delete(message.tool_call_id);
    return null;
  }
}
