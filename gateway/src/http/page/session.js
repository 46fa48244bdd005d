// One session: what was said, what is being said at this moment, and what its owner says next.

import { ask, get, newId, withQuery } from "./api.js";
import { Composer } from "./composer.js";
import { confirm } from "./confirm.js";
import { h, title } from "./dom.js";
import { follow } from "./follow.js";
import { done, problem } from "./notice.js";
import { people, teamName, userName } from "./people.js";
import { go } from "./route.js";
import { when } from "./time.js";
import { takeFirst } from "./first.js";
import { Transcript } from "./transcript.js";

const PAGE = 50;
/** A stream that does not end at once is one of a turn that runs. */
const RUNS_MS = 400;
/** How near to its end a page is that goes along with what comes. */
const NEAR_PX = 160;

export async function session(id, { signal }) {
  const url = `/api/v1/sessions/${encodeURIComponent(id)}`;
  const page = (cursor) => get(withQuery(`${url}/messages`, { order: "-seq", limit: PAGE, cursor }), { signal });
  const [shown, latest] = await Promise.all([get(url, { signal }), page()]);
  return new View(url, shown, latest, page, signal).element;
}

class View {
  #isRunning = false;

  constructor(url, shown, latest, page, signal) {
    Object.assign(this, { url, shown, signal, page });
    this.transcript = new Transcript(shown.agent);
    this.said = h("div");
    this.foot = h("div", { class: "foot" });
    this.composer = new Composer((content) => this.#say(content), () => this.#attempt(() => ask("POST", `${this.url}/stop`)));
    this.head = h("div");
    this.older = h("p", { class: "actions older" });
    this.empty = h("div", { class: "empty" }, h("p", null, "Nothing has been said yet."));
    this.element = h("div", { class: "view session", on: { shown: () => this.#shown() } },
      h("p", { class: "back" }, h("a", { href: "#/sessions" }, "Sessions")), title(shown.title), this.head, this.older, this.transcript.element, this.empty, this.said, this.foot);
    this.transcript.prepend(latest.items.toReversed());
    this.#offerOlder(latest.next_cursor);
    this.#fill();
  }

  /** Goes on where the session is, with a message if one was written when it was made. */
  #shown() {
    scrollTo(0, document.documentElement.scrollHeight);
    const first = takeFirst(this.shown.id);
    if (first) this.#say(first);
    else this.#follow();
  }

  #say(content) {
    this.#follow({ content, id: newId() });
  }

  /** One at a time: a message that is sent takes the place of what was only listened to. */
  async #follow(say) {
    this.following?.abort();
    const following = new AbortController();
    this.following = following;
    const signal = AbortSignal.any([this.signal, following.signal]);
    this.said.replaceChildren();
    if (say) this.#running(true);
    const runs = setTimeout(() => signal.aborted || this.#running(true), RUNS_MS);
    try {
      for await (const { event, data } of follow(this.shown.id, { after: this.transcript.last, say, signal })) this.#take(event, data);
    } catch (error) {
      if (signal.aborted) return;
      this.said.replaceChildren(problem(error));
      // What could not be sent is not lost.
      if (say && !this.composer.input.value) this.composer.input.value = say.content;
    } finally {
      clearTimeout(runs);
      if (this.following === following) this.#ended();
    }
  }

  #ended() {
    this.#running(false);
    this.transcript.end();
    this.#see();
  }

  #take(event, data) {
    const isNear = innerHeight + scrollY > document.documentElement.scrollHeight - NEAR_PX;
    if (event !== "broken" && this.said.firstChild) this.said.replaceChildren();
    switch (event) {
      case "message":
        this.transcript.add(data, { isLive: this.#isRunning });
        break;
      case "draft":
        this.#running(true);
        this.transcript.draft(data.text);
        break;
      case "piece":
        this.#running(true);
        this.transcript.piece(data.text);
        break;
      case "broken":
        this.said.replaceChildren(h("p", { class: "help", role: "status" }, "The connection broke. Trying again…"));
        break;
      default:
    }
    this.#see();
    if (isNear) requestAnimationFrame(() => scrollTo(0, document.documentElement.scrollHeight));
  }

  #running(value) {
    this.#isRunning = value;
    this.composer.isRunning = value;
  }

  #see() {
    this.empty.hidden = !this.transcript.isEmpty || this.#isRunning;
  }

  #offerOlder(cursor) {
    if (!cursor) return this.older.replaceChildren();
    this.older.replaceChildren(h("button", { type: "button", on: { click: () => this.#attempt(async () => {
      const earlier = await this.page(cursor);
      const before = document.documentElement.scrollHeight;
      this.transcript.prepend(earlier.items.toReversed());
      this.#offerOlder(earlier.next_cursor);
      scrollBy(0, document.documentElement.scrollHeight - before);
    }) } }, "Show earlier messages"));
  }

  async #attempt(work) {
    this.said.replaceChildren();
    try {
      await work();
    } catch (error) {
      if (!this.signal.aborted) this.said.replaceChildren(problem(error));
    }
  }

  #change(status, text) {
    return this.#attempt(async () => {
      this.shown = await ask("PATCH", this.url, { body: { status } });
      this.#fill();
      done(text);
    });
  }

  async #remove() {
    if (!(await confirm("Remove this session?", "Everything that was said in it goes with it.", "Remove"))) return;
    await this.#attempt(async () => {
      await ask("DELETE", this.url);
      done("The session is removed.");
      go("/sessions", { replace: true });
    });
  }

  /** The head and the foot, as the session is. */
  #fill() {
    const { shown } = this;
    const isMine = shown.owner_id === people.me.id;
    const isOpen = shown.status === "open";
    this.head.replaceChildren(h("div", { class: "top" },
      h("ul", { class: "facts" },
        h("li", null, h("span", { class: `pill ${shown.status}` }, isOpen ? "Open" : "Closed")),
        h("li", null, "with ", h("bdi", null, shown.agent)),
        isMine ? null : h("li", null, "of ", h("bdi", null, userName(shown.owner_id))),
        shown.team_id ? h("li", null, h("bdi", null, teamName(shown.team_id))) : null,
        h("li", null, "begun ", when(shown.created_at))),
      isMine ? h("p", { class: "actions" },
        isOpen ? h("button", { type: "button", class: "quiet", id: "close", on: { click: () => this.#change("closed", "The session is closed.") } }, "Close")
          : h("button", { type: "button", class: "quiet", id: "reopen", on: { click: () => this.#change("open", "The session is open again.") } }, "Open again"),
        h("button", { type: "button", class: "quiet danger", on: { click: () => this.#remove() } }, "Remove")) : null));
    this.foot.replaceChildren(isMine && isOpen ? this.composer.element
      : h("p", { class: "closed" }, isMine ? "This session is closed. Open it again to go on." : "Its owner talks to the agent here; you read along."));
    this.#see();
  }
}
