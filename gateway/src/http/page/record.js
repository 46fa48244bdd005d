// One task or note, to read.

import { ask, get } from "./api.js";
import { confirm } from "./confirm.js";
import { h, title } from "./dom.js";
import { facts } from "./kinds.js";
import { markdown } from "./markdown.js";
import { done, problem } from "./notice.js";
import { go } from "./route.js";

export async function record(kind, id, { signal }) {
  const url = `${kind.url}/${encodeURIComponent(id)}`;
  let shown = await get(url, { signal });
  const failed = h("div");
  const attempt = (work) => async () => {
    failed.replaceChildren();
    try {
      await work();
    } catch (error) {
      failed.replaceChildren(problem(error));
    }
  };
  const remove = attempt(async () => {
    if (!(await confirm(`Remove this ${kind.name}?`, shown.title, "Remove"))) return;
    await ask("DELETE", url, { revision: shown.revision });
    done(`The ${kind.name} is removed.`);
    go(`/${kind.path}`, { replace: true });
  });
  const isOver = () => ["done", "cancelled"].includes(shown.status);
  const turn = h("button", { type: "button", on: { click: attempt(async () => {
    shown = await ask("PATCH", url, { body: { status: isOver() ? "open" : "done" }, revision: shown.revision });
    fill();
    done(isOver() ? "Done." : "It is open again.");
  }) } });
  const head = h("div");
  const fill = () => {
    turn.textContent = isOver() ? "Open again" : "Mark as done";
    head.replaceChildren(facts(shown));
  };
  fill();
  return h("article", { class: "view" },
    h("p", { class: "back" }, h("a", { href: `#/${kind.path}` }, kind.title)),
    title(shown.title),
    head,
    h("p", { class: "actions" },
      h("a", { class: "button main", href: `#/${kind.path}/${id}/edit` }, "Edit"),
      shown.status ? turn : null,
      h("button", { type: "button", class: "quiet danger", on: { click: remove } }, "Remove")),
    failed,
    shown.body.trim() ? markdown(shown.body) : h("p", { class: "help" }, "It has no text."));
}
