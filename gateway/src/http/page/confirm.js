// Asks before something that cannot be taken back. Escape says no.

import { freshId, h } from "./dom.js";

/** Whether the answer is yes. */
export function confirm(question, detail, yes) {
  return new Promise((resolve) => {
    const id = freshId("question");
    const finish = (value) => () => dialog.close(value);
    const dialog = h("dialog", { "aria-labelledby": id, on: { close: () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    } } },
      h("h2", { id }, question),
      detail ? h("p", null, detail) : null,
      h("p", { class: "actions" },
        h("button", { type: "button", autofocus: true, on: { click: finish("no") } }, "Cancel"),
        h("button", { type: "button", class: "danger", on: { click: finish("yes") } }, yes)));
    document.body.append(dialog);
    dialog.showModal();
  });
}
