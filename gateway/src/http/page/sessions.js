// The sessions, and a new one.

import { Problem, ask, get, newId, withQuery } from "./api.js";
import { field, h, select, title } from "./dom.js";
import { setFirst } from "./first.js";
import { problem } from "./notice.js";
import { paged } from "./paged.js";
import { people, spaces, teamName, userName } from "./people.js";
import { go } from "./route.js";
import { when } from "./time.js";

const PAGE = 30;
const AGENT = "assistant";
const TITLE_CHARS = 80;
const STATUSES = [["", "All"], ["open", "Open"], ["closed", "Closed"]];

export async function sessions({ query, signal }) {
  const status = query.get("status") ?? "";
  const page = (cursor) => get(withQuery("/api/v1/sessions", { status, order: "-created_at", limit: PAGE, cursor }), { signal });
  const first = await page();
  const filter = select("status", STATUSES, status, { id: "filter-status", on: { change: () => go(withQuery("/sessions", { status: filter.value })) } });
  return h("div", { class: "view" },
    h("div", { class: "top" }, title("Sessions"), h("a", { class: "button main", href: "#/sessions/new" }, "New session")),
    h("form", { class: "filters", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } }, field("Status", filter)),
    first.items.length ? paged(first, page, row) : h("div", { class: "empty" },
      h("p", null, status ? "No session is like that." : "No sessions yet. Begin one: an agent reads and writes your tasks and notes with you.")));
}

function row(session) {
  return h("li", null,
    h("a", { class: "title", dir: "auto", href: `#/sessions/${session.id}` }, session.title),
    h("ul", { class: "facts" },
      h("li", null, h("span", { class: `pill ${session.status}` }, session.status === "open" ? "Open" : "Closed")),
      h("li", null, "with ", h("bdi", null, session.agent)),
      session.owner_id === people.me.id ? null : h("li", null, "of ", h("bdi", null, userName(session.owner_id))),
      session.team_id ? h("li", null, h("bdi", null, teamName(session.team_id))) : null,
      h("li", null, "begun ", when(session.created_at))));
}

export async function newSession() {
  const message = h("textarea", { id: "first-message", name: "message", rows: 4, dir: "auto", "data-first": true, on: { keydown: (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  } } });
  const name = h("input", { type: "text", id: "session-title", name: "title", maxlength: 500, dir: "auto", autocomplete: "off" });
  const agent = h("input", { type: "text", id: "session-agent", name: "agent", maxlength: 200, required: true, value: AGENT, autocomplete: "off" });
  const space = select("space", spaces(), people.me.id, { id: "session-space" });
  const said = h("div");
  const button = h("button", { type: "submit", class: "main" }, "Begin");
  const id = newId();
  const form = h("form", { class: "record", on: {
    submit: async (event) => {
      event.preventDefault();
      const first = message.value.trim();
      const title = name.value.trim() || begin(first);
      if (!title) {
        said.replaceChildren(problem(new Problem({ title: "There is neither a message nor a title", hint: "Say something, or give the session a title." })));
        return;
      }
      button.disabled = true;
      try {
        const team = space.value === people.me.id ? undefined : space.value;
        const made = await ask("POST", "/api/v1/sessions", { body: { id, title, agent: agent.value.trim(), team_id: team } });
        if (first) setFirst(made.id, message.value);
        go(`/sessions/${made.id}`, { replace: true });
      } catch (error) {
        said.replaceChildren(problem(error));
        button.disabled = false;
      }
    },
    keydown: (event) => event.key === "Escape" && !event.isComposing && go("/sessions"),
  } },
    field("Your message", message, "Enter begins, Shift+Enter breaks the line. Left empty, the session waits for an agent of another program."),
    h("div", { class: "fields" }, field("Title", name, "Otherwise as the message begins."), field("Agent", agent), field("Who sees it", space)),
    said,
    h("p", { class: "actions" }, button, h("a", { class: "button", href: "#/sessions" }, "Cancel")));
  return h("div", { class: "view" }, h("p", { class: "back" }, h("a", { href: "#/sessions" }, "Sessions")), title("New session"), form);
}

/** The first line of a message, as a title. */
function begin(message) {
  const [line] = message.split("\n", 1);
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS - 1)}…` : line;
}
