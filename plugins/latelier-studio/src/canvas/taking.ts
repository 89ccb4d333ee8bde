/** Taking pictures from files: chosen, or dropped on an element. */

import { toDataUri } from "./pictures.ts";

export const TYPES = ["image/png", "image/jpeg", "image/webp"];

/** Return a file as a data URI, if it is a picture that the server reads. */
export async function readFile(file: File): Promise<string> {
  if (!TYPES.includes(file.type)) throw new Error("Only pictures in PNG, JPEG or WebP can be used.");
  return toDataUri(file);
}

/** Call `onFile` for a file that is dropped on an element, which shows that it takes files. */
export function acceptFiles(element: HTMLElement, onFile: (file: File) => void): void {
  element.classList.add("takes-files");
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation(); // elsewhere on the page a picture gives its settings
    document.dispatchEvent(new Event("dragend"));
    const [file] = event.dataTransfer?.files ?? [];
    if (file) onFile(file);
  });
}
