// Asks the gateway. What fails is a Problem, with what the gateway's problem document says (RFC 9457).

import { token } from "./token.js";

export class Problem extends Error {
  constructor(document) {
    super(document.detail || document.title);
    this.status = document.status;
    this.code = document.code;
    this.title = document.title;
    this.detail = document.detail;
    this.hint = document.hint;
    this.revision = document.revision;
  }

  /** Whether the same may work a little later. */
  get passes() {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** A problem of the connection, and none that the gateway knows of. */
export function away() {
  return new Problem({ status: 0, code: "away", title: "The gateway does not answer", hint: "Look whether it runs, and at your connection." });
}

/** Sends a request; answers the response when it is a good one. A token that is not taken signs out. */
export async function send(method, path, { body, revision, signal, headers } = {}) {
  const sent = new Headers(headers);
  const secret = token.get();
  if (secret) sent.set("authorization", `Bearer ${secret}`);
  if (body !== undefined) sent.set("content-type", method === "PATCH" ? "application/merge-patch+json" : "application/json");
  if (revision !== undefined) sent.set("if-match", `"${revision}"`);
  let response;
  try {
    response = await fetch(path, {
      method, headers: sent, signal, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw away();
  }
  if (response.ok) return response;
  const problem = await read(response);
  if (problem.status === 401 && secret && secret === token.get()) dispatchEvent(new CustomEvent("mosaic:refused", { detail: problem }));
  throw problem;
}

/** Sends a request; answers the JSON of its answer, null when it has none. */
export async function ask(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, options) => ask("GET", path, options);

/** A path with a query of what is not empty. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** A new id (RFC 9562, 5.4), made here so that what is sent twice is done once. Not by randomUUID, which plain http to another machine lacks. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join("-");
}

async function read(response) {
  try {
    return new Problem(await response.json());
  } catch {
    return new Problem({ status: response.status, code: "unknown", title: `The answer was ${response.status}`, hint: "Look at what is between you and the gateway." });
  }
}
