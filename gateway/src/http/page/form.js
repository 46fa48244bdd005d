// Making and changing a task or a note. A change says which revision it is of, and sends only what was changed, so that nothing of somebody
// else's is overwritten unseen.

import { ask, get, newId } from "./api.js";
import { conflict } from "./conflict.js";
import { field, h, select, title } from "./dom.js";
import { guard } from "./leave.js";
import { done, problem } from "./notice.js";
import { go } from "./route.js";
import { tagField } from "./tags.js";
import { fromField, toField } from "./time.js";

export async function form(kind, id, { signal }) {
  const url = id ? `${kind.url}/${encodeURIComponent(id)}` : kind.url;
  let before = id ? await get(url, { signal }) : null;
  const made = newId();
  const controls = kind.fields.filter((one) => !(id && one.onlyNew)).map((one) => control(one, before));
  const changes = () => Object.fromEntries(controls.filter((one) => one.isChanged()).map((one) => [one.name, one.value()]));
  let isSaved = false;
  guard(() => !isSaved && !signal.aborted && controls.some((one) => one.isChanged()));

  const said = h("div");
  const button = h("button", { type: "submit", class: "main" }, id ? "Save" : `Make the ${kind.name}`);
  const back = id ? `/${kind.path}/${id}` : `/${kind.path}`;
  const saved = (record, text) => {
    isSaved = true;
    guard(null);
    done(text);
    go(`/${kind.path}/${record.id}`, { replace: true });
  };
  const save = async (revision) => {
    button.disabled = true;
    said.replaceChildren();
    try {
      if (!id) {
        saved(await ask("POST", url, { body: { id: made, ...changes() } }), `The ${kind.name} is made.`);
      } else if (!Object.keys(changes()).length) {
        saved(before, "Nothing was changed.");
      } else {
        saved(await ask("PATCH", url, { body: changes(), revision }), "Saved.");
      }
    } catch (error) {
      button.disabled = false;
      said.replaceChildren(error.code === "stale" ? await stale() : problem(error));
      said.querySelector("button")?.focus();
    }
  };
  /** Somebody else was faster: what they changed is shown before anything is overwritten. */
  const stale = async () => {
    try {
      const theirs = await get(url);
      return conflict(kind, { before, theirs, mine: changes() }, {
        overwrite: () => save(theirs.revision),
        discard: () => saved(theirs, "Your changes are dropped."),
      });
    } catch (error) {
      return problem(error);
    }
  };

  const element = h("form", { class: "record", on: {
    submit: (event) => {
      event.preventDefault();
      save(before?.revision);
    },
    keydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        element.requestSubmit();
      } else if (event.key === "Escape" && !event.isComposing) {
        go(back);
      }
    },
  } },
    h("div", { class: "fields" }, controls.map((one) => one.element)),
    said,
    h("p", { class: "actions" }, button, h("a", { class: "button", href: `#${back}` }, "Cancel"), h("span", { class: "help keys" }, "Ctrl+Enter saves, Escape leaves")));
  return h("div", { class: "view" },
    h("p", { class: "back" }, h("a", { href: `#${back}` }, id ? "Back" : kind.title)),
    title(id ? `Edit ${kind.name}` : `New ${kind.name}`),
    element);
}

/** One field: its element, its value as the gateway takes it, and whether that is another than before. */
function control(one, before) {
  const was = before?.[one.name];
  if (one.type === "tags") {
    let isTouched = false;
    const tags = tagField(was ?? [], () => (isTouched = true));
    return { name: one.name, element: group(one, tags.element, tags.input), value: tags.value, isChanged: () => isTouched || tags.input.value.trim() !== "" };
  }
  const input = inputOf(one, was);
  const first = input.value;
  const value = () => (one.type === "time" ? fromField(input.value) : one.isNumber ? Number(input.value) : input.value || (one.type === "choice" ? null : ""));
  return { name: one.name, element: field(one.label, input, one.help), value, isChanged: () => input.value !== first };
}

function inputOf({ name, type, options, required, maxlength }, was) {
  const common = { name, id: `field-${name}`, required, maxlength, dir: "auto" };
  switch (type) {
    case "choice": {
      const known = options();
      const chosen = was === undefined ? known[0][0] : String(was);
      // Who is not in the list, as somebody who left a team, stays who it is.
      const all = known.some(([value]) => value === chosen) ? known : [...known, [chosen, "As it is"]];
      return select(name, all, chosen, { id: common.id });
    }
    case "time": return h("input", { ...common, type: "datetime-local", value: toField(was) });
    case "long": {
      const area = h("textarea", { ...common, rows: 10 });
      area.value = was ?? "";
      return area;
    }
    default: return h("input", { ...common, type: "text", value: was ?? "", autocomplete: "off", "data-first": true });
  }
}

/** A field whose control has more around it than its input. */
function group(one, element, input) {
  const made = field(one.label, input, one.help);
  made.insertBefore(element, made.querySelector(".help"));
  element.append(input);
  return made;
}
