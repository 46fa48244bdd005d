// Where a message is written. Enter sends it, Shift+Enter breaks the line; while a turn runs, the button stops it.

import { h } from "./dom.js";
import { icon } from "./icons.js";

export class Composer {
  #isRunning = false;
  #send;

  constructor(send, stop) {
    this.#send = send;
    this.input = h("textarea", { id: "message", name: "message", rows: 1, dir: "auto", placeholder: "Say something", enterkeyhint: "send", "aria-describedby": "message-keys", "data-first": true,
      on: { keydown: (event) => this.#key(event) } });
    this.sender = h("button", { type: "submit", class: "main round", "aria-label": "Send", title: "Send" }, icon("send"));
    this.stopper = h("button", { type: "button", class: "round", "aria-label": "Stop", title: "Stop", hidden: true, on: { click: stop } }, icon("stop"));
    this.element = h("form", { class: "composer", on: { submit: (event) => (event.preventDefault(), this.#submit()) } },
      h("label", { for: "message", class: "unseen" }, "Your message"), this.input, this.sender, this.stopper,
      h("p", { class: "help", id: "message-keys" }, "Enter sends, Shift+Enter breaks the line"));
  }

  /** Whether a turn runs. */
  set isRunning(value) {
    const hadFocus = [this.sender, this.stopper].includes(document.activeElement);
    this.#isRunning = value;
    this.sender.hidden = value;
    this.stopper.hidden = !value;
    // What had the focus is hidden now.
    if (hadFocus) this.input.focus();
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const content = this.input.value;
    if (this.#isRunning || !content.trim()) return;
    this.input.value = "";
    this.#send(content);
  }
}
