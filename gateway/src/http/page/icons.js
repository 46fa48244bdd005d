// The few drawings of the page, as lines on a grid of 24.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  sessions: ["M4 5h16v11H9l-5 4z", "M8 9h8", "M8 12h5"],
  tasks: ["M4 6l1.5 1.5L8 5", "M4 12l1.5 1.5L8 11", "M4 18l1.5 1.5L8 17", "M11 6h9", "M11 12h9", "M11 18h9"],
  notes: ["M6 3h9l4 4v14H6z", "M14 3v5h5", "M9 12h7", "M9 16h7"],
  search: ["M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14z", "M16 16l5 5"],
  health: ["M3 12h4l3-7 4 14 3-7h4"],
  out: ["M10 4H5v16h5", "M14 8l4 4-4 4", "M18 12H9"],
  tool: ["M14 6a4 4 0 0 0 5 5l-8 8a2.5 2.5 0 0 1-4-4l8-8", "M14 6l3-2.5"],
  send: ["M12 20V5", "M6 11l6-6 6 6"],
  stop: ["M7 7h10v10H7z"],
};

/** A drawing beside a text that says the same. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false", class: "icon" })) {
    drawing.setAttribute(key, value);
  }
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    drawing.append(path);
  }
  return drawing;
}
