// A list of tasks or notes: filters, whose state is in the address so that Back and a reload keep it, and more of it on demand.

import { get, withQuery } from "./api.js";
import { field, h, select, title } from "./dom.js";
import { facts } from "./kinds.js";
import { paged } from "./paged.js";
import { go } from "./route.js";

const PAGE = 30;

export async function records(kind, { query, signal }) {
  const chosen = {};
  for (const { name, options } of kind.filters) {
    const value = query.get(name) ?? options()[0][0];
    if (value) chosen[name] = value;
  }
  const page = (cursor) => get(withQuery(kind.url, { ...chosen, limit: PAGE, cursor }), { signal });
  const first = await page();
  const isNarrowed = kind.filters.some(({ name }) => name !== "order" && query.get(name));
  return h("div", { class: "view" },
    h("div", { class: "top" }, title(kind.title), h("a", { class: "button main", href: `#/${kind.path}/new` }, `New ${kind.name}`)),
    filters(kind, query),
    first.items.length ? paged(first, page, (item) => row(kind, item)) : nothing(kind, isNarrowed));
}

function filters(kind, query) {
  const form = h("form", { class: "filters", "aria-label": "Filters", on: {
    submit: (event) => event.preventDefault(),
    change: () => {
      const given = [...new FormData(form)].filter(([name, value]) => value && value !== kind.filters.find((one) => one.name === name).options()[0][0]);
      go(withQuery(`/${kind.path}`, Object.fromEntries(given)));
    },
  } }, kind.filters.map(({ name, label, options }) => field(label, select(name, options(), query.get(name) ?? "", { id: `filter-${name}` }))));
  return form;
}

function row(kind, record) {
  return h("li", null, h("a", { class: "title", dir: "auto", href: `#/${kind.path}/${record.id}` }, record.title), facts(record));
}

function nothing(kind, isNarrowed) {
  return h("div", { class: "empty" },
    h("p", null, isNarrowed ? `No ${kind.name} is like that.` : kind.empty),
    isNarrowed ? h("p", null, h("a", { href: `#/${kind.path}` }, "Show all of them")) : null);
}
