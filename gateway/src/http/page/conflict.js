// What is said when somebody else changed a record meanwhile: what they made of it, and what one made of it oneself.

import { h } from "./dom.js";

const MOST_CHARS = 400;

/** The choice between the two; nothing is lost before it is made. */
export function conflict(kind, { before, theirs, mine }, { overwrite, discard }) {
  const changed = kind.fields.filter(({ name }) => JSON.stringify(before[name]) !== JSON.stringify(theirs[name]));
  const both = changed.filter(({ name }) => name in mine);
  const told = both.length ? "You both changed what is below. Saving yours replaces theirs there, and keeps the rest of what they changed."
    : changed.length ? `They changed other things than you: ${names(changed)}. Saving yours keeps what they changed.`
      : "They changed nothing that you see here.";
  return h("div", { class: "problem conflict", role: "alert" },
    h("p", { class: "what" }, `Somebody else changed this ${kind.name} while you were writing.`),
    h("p", { class: "hint" }, told),
    both.map(({ name, label }) => h("dl", null,
      h("dt", null, `${label}, theirs`), h("dd", { dir: "auto" }, short(theirs[name])),
      h("dt", null, `${label}, yours`), h("dd", { dir: "auto" }, short(mine[name])))),
    h("p", { class: "actions" },
      h("button", { type: "button", class: "main", on: { click: overwrite } }, "Save mine"),
      h("button", { type: "button", on: { click: discard } }, "Drop mine, show theirs")));
}

function names(fields) {
  return fields.map(({ label }) => label.toLowerCase()).join(", ");
}

function short(value) {
  const text = Array.isArray(value) ? value.join(", ") : String(value ?? "");
  return text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS)}…` : text || "(nothing)";
}
