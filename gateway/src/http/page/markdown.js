// Markdown as elements: paragraphs, headings, lists, quotes, code and tables. What it is made of is in inline.js. All of it is bounded, since
// a text may have 2 MiB: behind the bounds it is shown as it is, piece by piece.

import { h } from "./dom.js";
import { inline } from "./inline.js";

const MOST_CHARS = 200_000;
const MOST_ELEMENTS = 8_000;
const MOST_DEPTH = 8;
const MOST_COLUMNS = 32;
const PIECE_CHARS = 50_000;

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])([ \t]{1,4}|$)/;
const DIVIDER = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/** An element that shows the text. */
export function markdown(text) {
  const shown = h("div", { class: "markdown", dir: "auto" });
  const rest = blocks(text.slice(0, MOST_CHARS).split(/\r\n?|\n/), shown, { left: MOST_ELEMENTS }, 0, false);
  const behind = rest + text.slice(MOST_CHARS);
  if (behind) shown.append(more(behind));
  return shown;
}

/** Appends what the lines say; answers what was too much, as it is. */
function blocks(lines, into, budget, depth, isTight) {
  let at = 0;
  while (at < lines.length) {
    if (budget.left <= 0) return lines.slice(at).join("\n") + (depth ? "" : "\n");
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    budget.left -= 1;
    const read = depth < MOST_DEPTH ? block(lines, at, budget, depth) : null;
    if (read) {
      into.append(read.node);
      at = read.end;
      continue;
    }
    const end = paragraphEnd(lines, at);
    const paragraph = isTight ? into : h("p");
    inline(lines.slice(at, end).map((line) => line.trim()).join("\n"), paragraph, budget);
    if (!isTight) into.append(paragraph);
    at = end;
  }
  return "";
}

function block(lines, at, budget, depth) {
  const line = lines[at];
  return fenced(lines, at) ?? heading(line, at, budget) ?? (line.length < 1_000 && RULE.test(line) ? { node: h("hr"), end: at + 1 } : null)
    ?? quote(lines, at, budget, depth) ?? list(lines, at, budget, depth) ?? table(lines, at, budget);
}

function begins(line) {
  return FENCE.test(line) || HEADING.test(line) || QUOTE.test(line) || ITEM.test(line) || (line.length < 1_000 && RULE.test(line));
}

function paragraphEnd(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !begins(lines[end])) end += 1;
  return end;
}

function fenced(lines, at) {
  const found = FENCE.exec(lines[at]);
  if (!found) return null;
  let end = at + 1;
  while (end < lines.length && !closesFence(lines[end], found[1])) end += 1;
  return { node: h("pre", { tabindex: "0" }, h("code", null, lines.slice(at + 1, end).join("\n"))), end: end + 1 };
}

function closesFence(line, fence) {
  const text = line.trim();
  return text.length >= fence.length && text[0] === fence[0] && text === fence[0].repeat(text.length);
}

function heading(line, at, budget) {
  const found = HEADING.exec(line);
  if (!found) return null;
  let text = line.slice(found[0].length).trim();
  while (text.endsWith("#")) text = text.slice(0, -1);
  // Below the page's own.
  const node = h(`h${Math.min(found[1].length + 2, 6)}`, { class: `level-${found[1].length}` });
  inline(text.trim(), node, budget);
  return { node, end: at + 1 };
}

function quote(lines, at, budget, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  if (end === at) return null;
  const node = h("blockquote");
  node.append(blocks(lines.slice(at, end).map((line) => line.replace(QUOTE, "")), node, budget, depth + 1, false));
  return { node, end };
}

function list(lines, at, budget, depth) {
  const first = ITEM.exec(lines[at]);
  if (!first) return null;
  const isOrdered = first[2].length > 1;
  const node = isOrdered ? h("ol", { start: parseInt(first[2], 10) }) : h("ul");
  let end = at;
  while (end < lines.length && budget.left > 0) {
    const found = ITEM.exec(lines[end]);
    if (!found || found[2].at(-1) !== first[2].at(-1)) break;
    const item = itemLines(lines, end, found[0].length);
    budget.left -= 1;
    node.append(itemOf(item.lines, budget, depth));
    end = item.end;
  }
  return end > at ? { node, end } : null;
}

/** The lines of an item, without its indentation. */
function itemLines(lines, at, indent) {
  const taken = [lines[at].slice(indent)];
  let end = at + 1;
  while (end < lines.length) {
    const line = lines[end];
    if (!line.trim()) {
      const next = lines[end + 1];
      if (next === undefined || !next.startsWith(" ".repeat(Math.min(indent, 2)))) break;
      taken.push("");
    } else if (line.startsWith(" ".repeat(indent))) {
      taken.push(line.slice(indent));
    } else if (/^ {2,}/.test(line) && ITEM.test(line.trimStart())) {
      taken.push(line.trimStart());
    } else if (lines[end - 1].trim() && !begins(line)) {
      taken.push(line);
    } else {
      break;
    }
    end += 1;
  }
  // Between two items of one list there may be a line.
  if (end < lines.length && !lines[end].trim() && ITEM.test(lines[end + 1] ?? "")) end += 1;
  return { lines: taken, end };
}

function itemOf(lines, budget, depth) {
  const node = h("li");
  const box = /^\[([ xX])\] /.exec(lines[0]);
  if (box) {
    node.className = "box";
    node.append(box[1] === " " ? "☐ " : "☑ ");
    lines[0] = lines[0].slice(box[0].length);
  }
  node.append(blocks(lines, node, budget, depth + 1, !lines.includes("")));
  return node;
}

function table(lines, at, budget) {
  const divider = lines[at + 1];
  if (!lines[at].includes("|") || !divider?.includes("-") || divider.length > 1_000 || !DIVIDER.test(divider)) return null;
  const sides = cells(divider).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "middle" : "end") : null));
  const row = (line, tag) => {
    const node = h("tr");
    budget.left -= sides.length + 1;
    const texts = cells(line);
    sides.forEach((side, column) => {
      const cell = h(tag, { class: side, scope: tag === "th" ? "col" : null });
      inline(texts[column] ?? "", cell, budget);
      node.append(cell);
    });
    return node;
  };
  const head = h("thead", null, row(lines[at], "th"));
  const body = h("tbody");
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|") && lines[end].trim() && budget.left > 0) {
    body.append(row(lines[end], "td"));
    end += 1;
  }
  return { node: h("div", { class: "wide", tabindex: "0" }, h("table", null, head, body)), end };
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/, MOST_COLUMNS).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** What is behind the bounds: as it is, a piece for each press of the button. */
function more(text) {
  const pieces = h("div", { class: "rest" });
  const note = h("p", { class: "help" });
  let at = 0;
  const tell = () => (note.textContent = `${(text.length - at).toLocaleString()} more characters, too long to be shown as Markdown.`);
  const button = h("button", { type: "button", on: { click: () => {
    pieces.append(h("pre", { tabindex: "0" }, text.slice(at, at + PIECE_CHARS)));
    at += PIECE_CHARS;
    if (at >= text.length) footer.remove();
    else tell();
  } } }, "Show more as text");
  const footer = h("div", null, note, button);
  tell();
  return h("div", null, pieces, footer);
}
