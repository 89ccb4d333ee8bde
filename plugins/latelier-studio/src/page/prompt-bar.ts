/** The prompt and the one button. */

import type { Model } from "../api/types.ts";
import { h, newId } from "../dom.ts";

const IDEAS = 6;

export class PromptBar {
  readonly element: HTMLFormElement;
  readonly #text: HTMLTextAreaElement | undefined;
  readonly #button: HTMLButtonElement;
  readonly #error = h("p", { class: "error", role: "alert" });
  #onCancel: (() => void) | undefined;

  constructor(model: Model, input: string | undefined, onSubmit: () => void) {
    const id = newId("prompt");
    this.#button = h("button", { type: "submit", class: "primary" }, "Create");
    this.element = h("form", {
      class: "prompt-bar",
      onSubmit: (event: Event) => {
        event.preventDefault();
        if (this.#onCancel) this.#onCancel();
        else onSubmit();
      },
    });
    if (input) {
      this.#text = h("textarea", {
        id,
        rows: 1,
        maxLength: Object.values(model.inputs[input]?.properties ?? {})[0]?.maxLength,
        placeholder: "What should the picture show?",
        enterKeyHint: "go",
        onKeydown: (event: KeyboardEvent) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          this.element.requestSubmit();
        },
      });
      this.element.append(h("label", { class: "visually-hidden", htmlFor: id }, "What should the picture show?"));
    }
    this.element.append(
      h("div", { class: "prompt-row" }, this.#text ?? h("p", {}, model.description), this.#button),
      this.#createIdeas(model.vocabularies[input ?? ""] ?? []),
      this.#error,
    );
  }

  /** Return buttons with a few words that the model knows. */
  #createIdeas(words: string[]): HTMLElement {
    const picked = words
      .filter((word) => /^[a-z]{3,}$/.test(word))
      .map((word) => ({ word, at: Math.random() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, IDEAS);
    const list = h("div", { class: "ideas", hidden: picked.length === 0 || !this.#text });
    list.append(h("span", {}, "This model knows words such as"));
    for (const { word } of picked) {
      const use = (): void => {
        const text = this.prompt;
        this.prompt = text ? `${text} ${word}` : word;
        this.#text?.focus();
      };
      list.append(h("button", { type: "button", class: "idea", onClick: use }, word));
    }
    return list;
  }

  get prompt(): string {
    return this.#text?.value.trim() ?? "";
  }

  set prompt(text: string) {
    if (this.#text) this.#text.value = text;
  }

  /** Let the button cancel what runs; undefined: it creates again. */
  set onCancel(cancel: (() => void) | undefined) {
    this.#onCancel = cancel;
    this.#button.textContent = cancel ? "Cancel" : "Create";
    this.#button.classList.toggle("is-cancel", cancel !== undefined);
  }

  set error(message: string) {
    this.#error.textContent = message;
  }

  focus(): void {
    this.#text?.focus();
  }
}
