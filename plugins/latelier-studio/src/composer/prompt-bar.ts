/** The prompt and the one button. */

import type { Model } from "../api/types.ts";
import { h, newId } from "../dom.ts";
import { InUse } from "./in-use.ts";

const IDEAS = 6;
const LONGEST_IDEA = 20; // characters

const NOTHING_SAID = "Nothing says what to draw, so the picture may show nothing clear. Write it above";

export class PromptBar {
  readonly element: HTMLFormElement;
  /** A few things that the model can draw. They belong below the bar, which stays in view. */
  readonly ideas: HTMLElement;
  readonly inUse = new InUse(() => this.focus());
  readonly #text: HTMLTextAreaElement | undefined;
  readonly #button: HTMLButtonElement;
  readonly #error = h("p", { class: "error", role: "alert" });
  readonly #hint = h("p", { class: "hint", role: "status" });
  readonly #loading = h("p", { class: "loading-model", role: "status" });
  #onCancel: (() => void) | undefined;

  constructor(model: Model, input: string | undefined, onSubmit: () => void) {
    const id = newId("prompt");
    this.#button = h("button", { type: "submit", class: "primary" }, "Create");
    this.element = h("form", {
      class: "prompt-bar",
      onSubmit: (event: Event) => {
        event.preventDefault();
        if (this.#onCancel) this.#onCancel();
        else if (!this.#button.disabled) onSubmit();
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
    }
    const label = h("label", { class: "label visually-hidden", htmlFor: id }, "Prompt");
    const row = h("div", { class: "prompt-row" }, this.#text && label, this.#text ?? h("p", {}, model.description));
    if (input) row.dataset.input = input;
    row.append(this.#button);
    this.element.append(row, this.inUse.element, this.#hint, this.#loading, this.#error);
    this.element.addEventListener("input", () => this.suggest(false));
    this.ideas = this.#createIdeas(model.subjects);
  }

  /** Return buttons with a few things that the model can draw. */
  #createIdeas(names: string[]): HTMLElement {
    const picked = names
      .filter((name) => name.length <= LONGEST_IDEA)
      .map((name) => ({ name, at: Math.random() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, IDEAS);
    const list = h("div", { class: "ideas", hidden: picked.length === 0 || !this.#text });
    list.append(h("span", {}, "This model can draw, among others,"));
    for (const { name } of picked) {
      const use = (): void => {
        this.prompt = [this.prompt, name].filter(Boolean).join(", ");
        this.#text?.dispatchEvent(new Event("input", { bubbles: true }));
        this.#text?.focus();
      };
      list.append(h("button", { type: "button", class: "idea", onClick: use }, name));
    }
    return list;
  }

  /** Suggest to say what the picture should show, or do not. */
  suggest(isNeeded: boolean): void {
    const ideas = this.ideas.hidden ? "." : ", or use one of the ideas below.";
    this.#hint.textContent = isNeeded ? NOTHING_SAID + ideas : "";
  }

  get prompt(): string {
    return this.#text?.value.trim() ?? "";
  }

  set prompt(text: string) {
    if (this.#text) this.#text.value = text;
  }

  /** Put a word into the prompt, where the cursor is, and leave the cursor behind it. */
  insert(word: string): void {
    const area = this.#text;
    if (!area) return;
    const [before, after] = [area.value.slice(0, area.selectionStart), area.value.slice(area.selectionEnd)];
    const start = `${before}${/(^|\s)$/.test(before) ? "" : " "}${word}${/^[\s,.]/.test(after) ? "" : " "}`;
    area.value = start + after;
    area.focus();
    area.setSelectionRange(start.length, start.length);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Let the button cancel what runs; undefined: it creates again. */
  set onCancel(cancel: (() => void) | undefined) {
    this.#onCancel = cancel;
    this.#button.textContent = cancel ? "Cancel" : "Create";
    this.#button.classList.toggle("is-cancel", cancel !== undefined);
    this.#disable();
  }

  /** Say that a model is loaded, which has a name; undefined: none is. Meanwhile nothing can be created. */
  set loading(name: string | undefined) {
    this.#loading.textContent = name === undefined ? "" : `Loading ${name} …`;
    this.#disable();
  }

  #disable(): void {
    this.#button.disabled = this.#loading.textContent !== "" && !this.#onCancel;
  }

  set error(message: string) {
    this.#error.textContent = message;
  }

  focus(): void {
    this.#text?.focus();
  }
}
