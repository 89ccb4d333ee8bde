/** Finding an entry of a database by a part of its name: a field with suggestions, each with its picture. */

import type { DatabaseEntry } from "../api/types.ts";
import { h, newId } from "../dom.ts";
import type { Names } from "./names.ts";

const MOST = 8;

export class NameSearch {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #list: HTMLUListElement;
  readonly #nothing = h("p", { class: "hint", role: "status" });
  readonly #onChoose: (name: string) => void;
  #names: Names | undefined;
  #found: DatabaseEntry[] = [];
  #active = 0;

  constructor(onChoose: (name: string) => void) {
    this.#onChoose = onChoose;
    const id = newId("search");
    const list = { id: newId("names"), class: "suggestions", role: "listbox", "aria-label": "Suggestions" };
    this.#list = h("ul", { ...list, hidden: true });
    this.#input = h("input", {
      id,
      type: "text",
      role: "combobox",
      autocomplete: "off",
      placeholder: "cat, tree, rocket …",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      "aria-controls": this.#list.id,
      onKeydown: (event: KeyboardEvent) => this.#press(event),
      onBlur: () => this.#close(),
    });
    this.#input.addEventListener("input", (event) => {
      event.stopPropagation();
      this.#search();
    });
    const label = h("label", { class: "label", htmlFor: id }, "Add a drawing by its name");
    this.element = h("div", { class: "name-search", hidden: true }, label, this.#input, this.#list, this.#nothing);
  }

  /** What is searched; undefined: nothing, and there is no field. */
  set names(names: Names | undefined) {
    this.#names = names;
    this.element.hidden = names === undefined;
  }

  set disabled(isDisabled: boolean) {
    this.#input.disabled = isDisabled;
  }

  #search(): void {
    const text = this.#input.value.trim();
    this.#found = text === "" ? [] : (this.#names?.search(text, MOST) ?? []);
    this.#nothing.textContent = text !== "" && this.#found.length === 0 ? `No drawing is called “${text}”.` : "";
    this.#active = 0;
    this.#show();
  }

  #show(): void {
    const isOpen = this.#found.length > 0;
    this.#list.hidden = !isOpen;
    this.#input.setAttribute("aria-expanded", String(isOpen));
    this.#list.replaceChildren(...this.#found.map((entry, index) => this.#option(entry, index)));
    this.#mark(this.#active);
  }

  #option(entry: DatabaseEntry, index: number): HTMLElement {
    const option = h(
      "li",
      { id: `${this.#list.id}-${index}`, role: "option" },
      h("img", { src: this.#names?.picture(entry.name), alt: "" }),
      entry.name,
    );
    // the field keeps the focus, so the list stays open until the pointer is up
    option.addEventListener("pointerdown", (event) => event.preventDefault());
    option.addEventListener("click", () => this.#choose(index));
    return option;
  }

  #mark(index: number): void {
    this.#active = index;
    [...this.#list.children].forEach((option, each) => {
      option.setAttribute("aria-selected", String(each === index));
    });
    const marked = this.#list.children[index];
    if (marked) this.#input.setAttribute("aria-activedescendant", marked.id);
    else this.#input.removeAttribute("aria-activedescendant");
    marked?.scrollIntoView({ block: "nearest" });
  }

  #press(event: KeyboardEvent): void {
    const count = this.#found.length;
    if (event.key === "ArrowDown" && count) this.#mark((this.#active + 1) % count);
    else if (event.key === "ArrowUp" && count) this.#mark((this.#active + count - 1) % count);
    else if (event.key === "Enter") this.#choose(this.#active);
    else if (event.key === "Escape" && count) this.#close();
    else return;
    event.preventDefault();
  }

  #choose(index: number): void {
    const entry = this.#found[index];
    if (!entry) return;
    this.#input.value = "";
    this.#close();
    this.#onChoose(entry.name);
  }

  #close(): void {
    this.#found = [];
    this.#nothing.textContent = "";
    this.#show();
  }
}
