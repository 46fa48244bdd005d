// Finding tasks, notes and what was said, by words and, where the gateway has a model for it, by meaning.

import { get, withQuery } from "./api.js";
import { field, h, title } from "./dom.js";
import { teamName, people } from "./people.js";
import { speak } from "./notice.js";
import { go } from "./route.js";
import { when } from "./time.js";

const KINDS = [["task", "Tasks"], ["note", "Notes"], ["message", "Messages"]];
const HITS = 50;

export async function search({ query, signal }) {
  const text = query.get("q") ?? "";
  const kinds = (query.get("kind") ?? "").split(",").filter(Boolean);
  const found = text.trim() ? await get(withQuery("/api/v1/search", { q: text, kind: kinds.join(","), limit: HITS }), { signal }) : null;
  if (found) speak(counted(found.items.length));
  return h("div", { class: "view" }, title("Search"), form(text, kinds), found ? results(found) : h("div", { class: "empty" },
    h("p", null, "Say what you look for. Every word counts, in any form of it.")));
}

function form(text, kinds) {
  const input = h("input", { type: "search", id: "q", name: "q", value: text, maxlength: 1_000, autocomplete: "off", "data-first": true, enterkeyhint: "search" });
  const boxes = KINDS.map(([value, label]) => h("label", { class: "check" }, h("input", { type: "checkbox", id: `kind-${value}`, name: "kind", value, checked: kinds.includes(value) }), label));
  const ask = (event) => {
    event.preventDefault();
    const chosen = [...element.querySelectorAll(":checked")].map((box) => box.value);
    go(withQuery("/search", { q: input.value.trim(), kind: chosen.join(",") }));
  };
  const element = h("form", { class: "search", role: "search", on: { submit: ask, change: (event) => event.target !== input && input.value.trim() && ask(event) } },
    h("div", { class: "beside" }, field("Search for", input), h("button", { type: "submit", class: "main" }, "Search")),
    h("fieldset", null, h("legend", null, "Only"), boxes));
  return element;
}

function results({ items, used }) {
  if (!items.length) return h("div", { class: "empty" }, h("p", null, "Nothing has all of these words."), h("p", null, "Try fewer of them, or others."));
  const by = used.includes("words") && used.length > 1 ? ", by words and by meaning" : "";
  return h("div", null, h("p", { class: "help" }, counted(items.length) + by), h("ul", { class: "rows" }, items.map(hit)));
}

function hit(item) {
  const href = item.kind === "message" ? `#/sessions/${item.session_id}` : `#/${item.kind}s/${item.id}`;
  return h("li", null,
    h("a", { class: "title", dir: "auto", href }, item.title),
    h("p", { class: "excerpt", dir: "auto" }, item.excerpt.map(({ text, found }) => (found ? h("mark", null, text) : text))),
    h("ul", { class: "facts" },
      h("li", null, item.kind === "message" ? "said in a session" : item.kind),
      item.space_id === people.me.id ? null : h("li", null, h("bdi", null, teamName(item.space_id))),
      h("li", null, "changed ", when(item.updated_at))));
}

function counted(count) {
  return count === HITS ? `The best ${HITS}` : count === 1 ? "1 found" : `${count} found`;
}
