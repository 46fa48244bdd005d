// A field for tags: each is a button that removes it, and what is typed becomes one by Enter or a comma.

import { h } from "./dom.js";
import { speak } from "./notice.js";

/** The field's element, its input, and what it holds. */
export function tagField(tags, changed) {
  let held = [...tags];
  const chips = h("span", { class: "chips" });
  const input = h("input", { type: "text", name: "new-tag", autocomplete: "off", maxlength: 100 });
  const fill = () => chips.replaceChildren(...held.map((tag) => h("button", { type: "button", class: "tag", "aria-label": `Remove tag ${tag}`, on: { click: () => {
    held = held.filter((other) => other !== tag);
    fill();
    input.focus();
    speak(`${tag} removed`);
    changed();
  } } }, h("bdi", null, tag), h("span", { "aria-hidden": "true" }, " ×"))));
  const take = () => {
    const given = input.value.split(",").map((tag) => tag.trim()).filter(Boolean);
    input.value = "";
    if (!given.length) return false;
    held = [...new Set([...held, ...given])];
    fill();
    changed();
    return true;
  };
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if ((event.key === "Enter" || event.key === ",") && input.value.trim()) {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && !input.value && held.length) {
      held = held.slice(0, -1);
      fill();
      changed();
    }
  });
  fill();
  return { element: h("div", { class: "tags" }, chips, input), input, value: () => (take(), held) };
}
