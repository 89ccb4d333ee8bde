/** The head of the page: its name, the model, and the light. */

import type { ModelSummary } from "../api/types.ts";
import { TYPES } from "../canvas/taking.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";

type Theme = "light" | "dark";
const STORED = "latelier-studio-theme";

export class Header {
  readonly element: HTMLElement;
  readonly #select: HTMLSelectElement;

  constructor(models: ModelSummary[], onModel: (name: string) => void, onFile: (file: File) => void) {
    this.#select = h(
      "select",
      { "aria-label": "Model", onChange: () => onModel(this.#select.value) },
      ...models.map(({ name }) => h("option", { value: name }, name)),
    );
    const file = h("input", {
      type: "file",
      accept: TYPES.join(),
      class: "visually-hidden",
      id: "open-picture",
      onChange: () => {
        const [chosen] = file.files ?? [];
        if (chosen) onFile(chosen);
        file.value = "";
      },
    });
    this.element = h(
      "header",
      { class: "header" },
      h("h1", { class: "brand" }, "latelier", h("span", {}, "studio")),
      h("div", { class: "header-model" }, this.#select),
      h(
        "div",
        { class: "header-actions" },
        file,
        h("label", { class: "button quiet", htmlFor: file.id }, icon("image"), h("span", {}, "Open a picture")),
        themeButton(),
      ),
    );
  }

  set model(name: string) {
    this.#select.value = name;
  }
}

function themeButton(): HTMLButtonElement {
  const stored = localStorage.getItem(STORED) as Theme | null;
  const isDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  let theme: Theme = stored ?? (isDark ? "dark" : "light");
  const button = h("button", { type: "button", class: "icon-button" });
  const show = (): void => {
    document.documentElement.dataset.theme = theme;
    const other = theme === "dark" ? "light" : "dark";
    button.replaceChildren(icon(theme === "dark" ? "sun" : "moon"));
    button.setAttribute("aria-label", `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
  };
  button.addEventListener("click", () => {
    theme = theme === "dark" ? "light" : "dark";
    localStorage.setItem(STORED, theme);
    show();
  });
  show();
  return button;
}
