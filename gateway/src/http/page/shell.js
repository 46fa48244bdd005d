// What is around every view: the way to the others, who is signed in, and the way out.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { people } from "./people.js";

const VIEWS = [["sessions", "Sessions"], ["tasks", "Tasks"], ["notes", "Notes"], ["search", "Search"], ["health", "Health"]];

/** The frame; its `main` is for the view at hand. */
export function shell(signOut) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = VIEWS.map(([name, text]) => h("li", null, h("a", { href: `#/${name}`, "data-view": name }, icon(name), h("span", null, text))));
  // A link to #main would be taken for a view.
  const skip = h("a", { class: "skip", href: "#/", on: { click: (event) => {
    event.preventDefault();
    main.focus();
  } } }, "Skip to the content");
  const frame = h("div", { class: "frame" },
    skip,
    h("header", null,
      h("a", { class: "brand", href: "#/sessions" }, h("img", { src: "/page/icon.svg", alt: "", width: 24, height: 24 }), "Mosaic"),
      h("nav", { "aria-label": "Views" }, h("ul", null, links)),
      h("div", { class: "who" },
        h("p", { class: "name", title: people.me.login }, h("bdi", null, people.me.name)),
        h("a", { href: "/docs", target: "_blank", rel: "noopener" }, "API"),
        h("button", { type: "button", class: "quiet", id: "sign-out", on: { click: signOut } }, icon("out"), "Sign out"))),
    main);
  return { frame, main };
}

/** Marks the view at hand. */
export function mark(frame, name) {
  for (const link of frame.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
