/** Taking pictures from files: chosen, or dropped on an element. */

import { loadPicture, NO_PICTURE, toDataUri } from "./pictures.ts";

export const TYPES = ["image/png", "image/jpeg", "image/webp"];

/** Return a file as a data URI. One that is no picture of these types is an error. */
export async function readFile(file: File): Promise<string> {
  if (!TYPES.includes(file.type)) throw new Error(NO_PICTURE);
  const source = await toDataUri(file);
  await loadPicture(source);
  return source;
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
