// The page's beginning: signs in, and shows the view that the address names. One view at a time; what it still waits for ends with it.

import { Problem } from "./api.js";
import { h, title } from "./dom.js";
import { mayLeave } from "./leave.js";
import { problem, speak } from "./notice.js";
import { forget, load } from "./people.js";
import { here } from "./route.js";
import { mark, shell } from "./shell.js";
import { signIn } from "./signin.js";
import { token } from "./token.js";
import { health } from "./health.js";
import { NOTE, TASK } from "./kinds.js";
import { records } from "./records.js";
import { record } from "./record.js";
import { form } from "./form.js";
import { search } from "./search.js";
import { session } from "./session.js";
import { newSession, sessions } from "./sessions.js";

/** An answer that takes longer than this is waited for visibly. */
const WAITING_MS = 200;

const page = document.getElementById("page");
let frame = null;
let main = null;
let leaving = new AbortController();
let shownAt = null;

/** The view of an address: a function of {query, signal} that makes its element. */
function viewOf([view, id, verb]) {
  switch (view) {
    case undefined: case "sessions":
      return id === "new" ? newSession : id ? (at) => session(id, at) : sessions;
    case "tasks": return ofKind(TASK, id, verb);
    case "notes": return ofKind(NOTE, id, verb);
    case "search": return search;
    case "health": return health;
    default: return null;
  }
}

function ofKind(kind, id, verb) {
  if (id === "new") return (at) => form(kind, null, at);
  if (id && verb === "edit") return (at) => form(kind, id, at);
  return id ? (at) => record(kind, id, at) : (at) => records(kind, at);
}

async function show() {
  if (!frame) return;
  if (location.hash !== shownAt && !(await mayLeave())) {
    history.replaceState(null, "", shownAt);
    return;
  }
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { parts, query, path } = here();
  const isSameView = shownAt !== null && shownAt.split("?")[0] === location.hash.split("?")[0];
  const focused = isSameView ? document.activeElement?.id : "";
  shownAt = location.hash;
  mark(frame, parts[0] ?? "sessions");
  const waiting = setTimeout(() => main.setAttribute("aria-busy", "true"), WAITING_MS);
  let shown;
  try {
    const view = viewOf(parts);
    shown = view ? await view({ query, signal, path }) : nowhere();
  } catch (error) {
    if (signal.aborted) return;
    shown = h("div", { class: "view" }, title(error instanceof Problem ? error.title : "The page failed"), problem(error));
  } finally {
    clearTimeout(waiting);
  }
  if (signal.aborted) return;
  main.removeAttribute("aria-busy");
  main.replaceChildren(shown);
  tell(isSameView, focused);
}

/** Says where one is now, to eyes, ears and keys. */
function tell(isSameView, focused) {
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} · Mosaic` : "Mosaic";
  const keep = focused ? document.getElementById(focused) : null;
  const first = isSameView ? keep : main.querySelector("[data-first]") ?? heading;
  first?.focus({ preventScroll: isSameView });
  if (!isSameView) {
    speak(heading?.textContent ?? "");
    scrollTo(0, 0);
  }
  main.firstElementChild.dispatchEvent(new Event("shown"));
}

function nowhere() {
  return h("div", { class: "view" }, title("There is nothing here"), h("p", null, h("a", { href: "#/sessions" }, "Go to the sessions")));
}

function enter() {
  ({ frame, main } = shell(() => leave()));
  page.replaceChildren(frame);
  shownAt = null;
  show();
}

/** Signs out: the token is gone, and so is everything that was shown. */
function leave(why) {
  leaving.abort();
  token.clear();
  forget();
  frame = null;
  page.replaceChildren(signIn(enter, why));
  document.title = "Sign in · Mosaic";
}

async function start() {
  if (!token.get()) return leave();
  try {
    await load();
    enter();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return leave(error);
    page.replaceChildren(h("main", { class: "alone" }, h("h1", null, "Mosaic"),
      problem(error, h("button", { type: "button", on: { click: start } }, "Try again"))));
  }
}

addEventListener("hashchange", show);
addEventListener("mosaic:refused", (event) => frame && leave(event.detail));
start();
