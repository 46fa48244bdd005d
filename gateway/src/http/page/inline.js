// Markdown within a paragraph, as elements. Text that a stranger wrote: links lead to the web or to mail and nowhere else, images become links so
// that nothing is loaded, and markup is text. Each search for an end that finds none is remembered, so that no text takes more than its length.

import { h } from "./dom.js";

/** Of a longer paragraph, the rest is shown as it is. */
const MOST_CHARS = 20_000;
const MOST_DEPTH = 6;
const MOST_LABEL = 1_000;
const MOST_URL = 2_000;

const SPECIAL = /[\\`*_~[!<]|https?:\/\//g;
const BARE = /https?:\/\/[^\s<>"`]+/y;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}]/u;

/** Appends what the text says. `budget.left` is how many elements may be made. */
export function inline(text, into, budget, depth = 0, inLink = false) {
  if (depth > MOST_DEPTH) return into.append(text);
  const missing = new Set();
  const end = Math.min(text.length, MOST_CHARS);
  const source = text.slice(0, end);
  let plain = 0;
  let at = 0;
  while (at < end && budget.left > 0) {
    SPECIAL.lastIndex = at;
    const found = SPECIAL.exec(source);
    if (!found) break;
    at = found.index;
    const part = read(source, at, { missing, budget, depth, inLink });
    if (!part) {
      at += run(source, at);
      continue;
    }
    if (at > plain) into.append(source.slice(plain, at));
    into.append(part.node);
    at = plain = part.end;
  }
  if (plain < text.length) into.append(text.slice(plain));
}

/** How many of the same character stand here. Of a run that begins nothing, no part does. */
function run(source, at) {
  let length = 1;
  while (source[at + length] === source[at]) length += 1;
  return source[at] === "`" || source[at] === "*" || source[at] === "_" || source[at] === "~" ? length : 1;
}

function read(source, at, state) {
  switch (source[at]) {
    case "\\": return escaped(source, at);
    case "`": return code(source, at, state);
    case "*": case "_": case "~": return emphasis(source, at, state);
    case "!": return source[at + 1] === "[" ? link(source, at + 1, state, true) : null;
    case "[": return link(source, at, state, false);
    case "<": return angled(source, at, state);
    default: return bare(source, at, state);
  }
}

function escaped(source, at) {
  const next = source[at + 1];
  if (next === "\n") return { node: h("br"), end: at + 2 };
  return next && PUNCTUATION.test(next) ? { node: next, end: at + 2 } : null;
}

function code(source, at, { missing, budget }) {
  const length = run(source, at);
  const fence = "`".repeat(length);
  if (missing.has(fence)) return null;
  let close = source.indexOf(fence, at + length);
  while (close >= 0 && run(source, close) !== length) close = source.indexOf(fence, close + run(source, close));
  if (close < 0) {
    missing.add(fence);
    return null;
  }
  budget.left -= 1;
  const inside = source.slice(at + length, close).replaceAll("\n", " ");
  const padded = inside.length > 2 && inside.startsWith(" ") && inside.endsWith(" ");
  return { node: h("code", null, padded ? inside.slice(1, -1) : inside), end: close + length };
}

function emphasis(source, at, { missing, budget, depth, inLink }) {
  const mark = source[at];
  const length = Math.min(run(source, at), 3);
  if (mark === "~" && length !== 2) return null;
  const marker = mark.repeat(length);
  const begin = at + length;
  if (missing.has(marker) || !source[begin] || /\s/.test(source[begin])) return null;
  if (mark === "_" && at > 0 && WORD.test(source[at - 1])) return null;
  let close = source.indexOf(marker, begin + 1);
  while (close >= 0 && !closes(source, close, marker)) close = source.indexOf(marker, close + run(source, close));
  if (close < 0) {
    missing.add(marker);
    return null;
  }
  budget.left -= 1;
  const node = h(mark === "~" ? "del" : length === 1 ? "em" : "strong");
  const inner = length === 3 ? h("em") : node;
  if (inner !== node) node.append(inner);
  inline(source.slice(begin, close), inner, budget, depth + 1, inLink);
  return { node, end: close + length };
}

function closes(source, at, marker) {
  if (/\s/.test(source[at - 1]) || run(source, at) < marker.length) return false;
  if (marker.length === 1 && run(source, at) === 2) return false;
  const behind = source[at + marker.length];
  return marker[0] !== "_" || !behind || !WORD.test(behind);
}

function link(source, at, { budget, depth, inLink }, isImage) {
  const middle = source.slice(at, at + MOST_LABEL).indexOf("](");
  if (middle < 0 || inLink) return null;
  const begin = at + middle + 2;
  const length = source.slice(begin, begin + MOST_URL).indexOf(")");
  if (length < 0) return null;
  const label = source.slice(at + 1, at + middle);
  const [address] = source.slice(begin, begin + length).trim().split(/\s/, 1);
  const url = safeUrl(address.replace(/^<|>$/g, ""));
  if (!url) return null;
  budget.left -= 1;
  const node = anchor(url);
  if (isImage) node.append(`image: ${label || url}`);
  else inline(label || url, node, budget, depth + 1, true);
  return { node, end: begin + length + 1 };
}

function angled(source, at, { budget, inLink }) {
  const length = source.slice(at, at + MOST_URL).indexOf(">");
  const inside = source.slice(at + 1, at + Math.max(length, 1));
  const url = length > 0 && !inLink && !/\s/.test(inside) && safeUrl(inside);
  if (!url) return null;
  budget.left -= 1;
  const node = anchor(url);
  node.append(inside);
  return { node, end: at + length + 1 };
}

function bare(source, at, { budget, inLink }) {
  BARE.lastIndex = at;
  const found = BARE.exec(source);
  if (!found || inLink || found[0].length > MOST_URL) return null;
  let length = found[0].length;
  // A sentence's end is none of the address.
  while (length > 0 && ".,;:!?)]}*_~'|".includes(found[0][length - 1])) length -= 1;
  const text = found[0].slice(0, length);
  const url = safeUrl(text);
  if (!url) return null;
  budget.left -= 1;
  const node = anchor(url);
  node.append(text);
  return { node, end: at + length };
}

function anchor(url) {
  return h("a", { href: url, rel: "noopener noreferrer", target: "_blank", title: url });
}

/** An address that leads to the web or to mail; null for others, relative ones too, which would lead into this page. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
