/** Widgets of plugins: ES modules, whose default export is the class of the element. */

import type { Model } from "../api/types.ts";
import { hasFormat, registerFormat } from "./formats.ts";

/** Import the widgets that the inputs of a model ask for. Without one, a format has the JSON field. */
export async function loadWidgets(model: Model): Promise<void> {
  const answer = await fetch("/studio/widgets");
  if (!answer.ok) return;
  const modules = (await answer.json()) as Record<string, string>; // format -> URL
  const formats = new Set(Object.values(model.inputs).map((schema) => schema.format ?? ""));
  await Promise.all(
    [...formats].map(async (format) => {
      const url = modules[format];
      if (!url || hasFormat(format)) return;
      try {
        const { default: element } = (await import(url)) as { default: CustomElementConstructor };
        customElements.define(`plugin-${format}`, element);
        registerFormat(format, `plugin-${format}`);
      } catch (error) {
        console.warn(`the widget ${url} cannot be loaded`, error);
      }
    }),
  );
}
