// Makes elements. What is text stays text: nothing in the page makes markup of a string, which its policy would refuse as well.

/** Makes an element. Of `props`, `on` holds listeners; true is an attribute without a value, and what is null or false is left out. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name === "on") {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, String(value));
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

let last = 0;

/** An id that no other element has. */
export function freshId(prefix) {
  last += 1;
  return `${prefix}-${last}`;
}

/** A control below its label, and what helps to fill it in. */
export function field(label, control, help) {
  control.id ||= freshId("field");
  const hint = help ? h("p", { class: "help", id: `${control.id}-help` }, help) : null;
  if (hint) control.setAttribute("aria-describedby", hint.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, hint);
}

/** A choice of one. `options` are pairs of value and text. */
export function select(name, options, chosen, props) {
  const made = options.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
  return h("select", { name, ...props }, made);
}

/** A heading that gets the focus when its view is shown. */
export function title(text, props) {
  return h("h1", { tabindex: "-1", dir: "auto", ...props }, text);
}
