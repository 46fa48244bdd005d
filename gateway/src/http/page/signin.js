// Signing in with a token. It is tried before anything else is shown.

import { field, h } from "./dom.js";
import { problem } from "./notice.js";
import { load } from "./people.js";
import { token } from "./token.js";

/** The form; `signedIn` is called when the gateway has taken the token. `why` is why the last one is no longer taken. */
export function signIn(signedIn, why) {
  const input = h("input", { type: "password", id: "token", name: "token", required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "none" });
  const said = h("div", null, why ? problem(why) : null);
  const button = h("button", { type: "submit", class: "main" }, "Sign in");
  const form = h("form", { class: "card", on: { submit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    // What was copied with a line break is what was meant.
    token.set(input.value.trim());
    try {
      await load();
      signedIn();
    } catch (error) {
      token.clear();
      said.replaceChildren(problem(error));
      button.disabled = false;
      input.focus();
      input.select();
    }
  } } },
    field("Token", input, "It stays in this tab, and is forgotten when the tab is closed."),
    said,
    button);
  queueMicrotask(() => input.focus());
  return h("main", { class: "alone", id: "main" },
    h("img", { src: "/page/icon.svg", alt: "", width: 48, height: 48 }),
    h("h1", null, "Sign in to Mosaic"),
    form,
    h("details", null, h("summary", null, "Where do I get a token?"),
      h("p", null, "The first start of the gateway shows one: on its terminal, or in the file mosaic-admin.token. An administrator makes others:"),
      h("pre", { tabindex: "0" }, "mosaic token create --user ada --scope read,write --name browser")));
}
