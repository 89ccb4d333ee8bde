/** Pictures dropped anywhere on the page. */

import { h } from "../dom.ts";

/** Call `onFile` for pictures that are dropped, and show that they can be. */
export function acceptDrops(onFile: (file: File) => void): HTMLElement {
  const veil = h("div", { class: "drop-veil", hidden: true }, h("p", {}, "Drop a picture to get its settings back, or on a field to use it there"));
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  let depth = 0;
  const hide = (): void => {
    depth = 0;
    veil.hidden = true;
    document.documentElement.classList.remove("has-files");
  };
  document.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    veil.hidden = false;
    document.documentElement.classList.add("has-files");
  });
  document.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) hide();
  });
  document.addEventListener("dragend", hide);
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    hide();
    const [file] = event.dataTransfer?.files ?? [];
    if (file) onFile(file);
  });
  return veil;
}
