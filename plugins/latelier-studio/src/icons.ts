/** Line icons on a grid of 24, drawn here. */

const PATHS = {
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5 19 19M5 19l1.5-1.5M17.5 6.5 19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  star: "m12 3.5 2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8Z",
  close: "M6 6l12 12M18 6 6 18",
  plus: "M12 5v14M5 12h14",
  trash: "M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  undo: "M8 5 4 9l4 4M4 9h9a6 6 0 0 1 0 12H9",
  redo: "M16 5l4 4-4 4M20 9h-9a6 6 0 0 0 0 12h4",
  brush: "M20 4 9.5 14.5M9 14a3.5 3.5 0 0 0-3.5 3.5C5.5 19 4 20 3 20c1.5 1 3 1 4.5 1a4 4 0 0 0 4-4 3 3 0 0 0-2.5-3Z",
  eraser: "M9 20 3.5 14.5a1.5 1.5 0 0 1 0-2L12 4l8 8-8 8H9ZM7.5 8.5l8 8M12 20h9",
  bucket: "M11 3.5 19.5 12 12 19.5a2 2 0 0 1-2.8 0L4 14.3a2 2 0 0 1 0-2.8ZM3.5 13h15M21 15.5c-1 1.5-1.5 2.4-1.5 3.2a1.5 1.5 0 0 0 3 0c0-.8-.5-1.7-1.5-3.2Z",
  invert: "M12 3a9 9 0 1 0 0 18ZM12 3a9 9 0 0 1 0 18",
  zoomIn: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM15.5 15.5 21 21M10.5 8v5M8 10.5h5",
  zoomOut: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM15.5 15.5 21 21M8 10.5h5",
  left: "m14 6-6 6 6 6",
  right: "m10 6 6 6-6 6",
  image: "M4 5h16v14H4ZM4 16l4.5-4.5L13 16l3-3 4 4M15 9.5h.01",
  grid: "M4 4h7v7H4ZM13 4h7v7h-7ZM4 13h7v7H4ZM13 13h7v7h-7Z",
  check: "m5 12.5 4.5 4.5L19 7.5",
  approx: "M4 10c3-4 5-1 8 0s5 4 8 0M4 16c3-4 5-1 8 0s5 4 8 0",
  turn: "M5 12a7 7 0 1 0 2.5-5.4M8 2.5 7.2 6.8l4.3.8",
  mirror: "M12 3v3M12 9v3M12 15v3M12 20v1M8.5 6v12H2.5ZM15.5 6v12h6Z",
  warn: "M12 4 3 20h18ZM12 10v4M12 17v.01",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

/** Return an icon that screen readers skip. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
