// How the gateway and its tier are, as mosaic doctor says it.

import { get } from "./api.js";
import { h, title } from "./dom.js";
import { sentence } from "./notice.js";
import { go } from "./route.js";

const WORDS = { green: "Well", yellow: "Take note", red: "Not well" };

export async function health({ signal }) {
  const report = await get("/api/v1/doctor", { signal });
  return h("div", { class: "view" },
    h("div", { class: "top" }, title("Health"), h("button", { type: "button", id: "look-again", on: { click: () => go("/health") } }, "Look again")),
    h("p", { class: `summary ${report.status}` }, h("span", { class: `light ${report.status}` }, WORDS[report.status]), h("span", null, sentence(report.summary))),
    h("ul", { class: "checks" }, report.checks.map(check)));
}

function check({ id, service, target, status, latency_ms: ms, message, remediation }) {
  return h("li", null,
    h("p", { class: "what" }, h("span", { class: `light ${status}` }, WORDS[status]), h("span", { class: "found" }, sentence(message))),
    remediation ? h("p", { class: "hint" }, sentence(remediation)) : null,
    h("ul", { class: "facts" }, h("li", null, h("code", null, id)), h("li", null, `${service} `, h("code", null, target)), h("li", null, `${ms} ms`)));
}
