// A list that comes in pages, of which more is shown on demand.

import { h } from "./dom.js";
import { problem, speak } from "./notice.js";

/** The items of the first page, and a button for more while there are any. `page` asks for the page at a cursor, `row` shows an item. */
export function paged(first, page, row) {
  const rows = h("ul", { class: "rows" }, first.items.map(row));
  const failed = h("div");
  let next = first.next_cursor;
  const button = h("button", { type: "button", on: { click: async () => {
    button.disabled = true;
    failed.replaceChildren();
    try {
      const more = await page(next);
      const added = more.items.map(row);
      rows.append(...added);
      speak(`${added.length} more`);
      next = more.next_cursor;
      // The first that is new is where one reads on.
      added[0]?.querySelector("a").focus();
      if (!next) button.remove();
    } catch (error) {
      failed.replaceChildren(problem(error));
    }
    button.disabled = false;
  } } }, "Show more");
  return h("div", null, rows, failed, next ? h("p", { class: "actions" }, button) : null);
}
