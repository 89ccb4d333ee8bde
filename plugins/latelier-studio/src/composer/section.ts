/** A part of the form that is folded away, and tells whether it has a value. */

import { h } from "../dom.ts";
import { reveal, unmarkFields } from "../form/faults.ts";
import type { Use } from "./in-use.ts";

export interface SectionTexts {
  title: string;
  /** The term of those who know it, if it is another one. */
  term?: string;
  about?: string;
}

/** A value of a section. Its place is that of the section, unless it has one of its own. */
export interface Value {
  text: string;
  place?: HTMLElement;
  clear(): void;
}

export class Section {
  readonly element: HTMLDetailsElement;
  readonly #mark = h("span", { class: "mark", hidden: true }, "in use");
  readonly #values: () => Value[];

  /** `values` returns what the section has, beyond the defaults of the model. */
  constructor(texts: SectionTexts, content: HTMLElement, values: () => Value[]) {
    this.#values = values;
    const clear = h("button", { type: "button", class: "quiet clear", hidden: true }, "Clear");
    clear.addEventListener("click", () => this.#clear(values()));
    this.element = h(
      "details",
      { class: "section" },
      h(
        "summary",
        {},
        h("span", { class: "section-title" }, texts.title, termOf(texts), this.#mark),
        texts.about && h("small", {}, texts.about),
      ),
      h("div", { class: "section-body" }, content, clear),
    );
    this.element.addEventListener("input", () => {
      this.#mark.hidden = clear.hidden = values().length === 0;
    });
  }

  /** What it has, as the page shows it elsewhere. */
  get uses(): Use[] {
    return this.#values().map((value) => ({
      text: value.text,
      show: () => reveal(value.place ?? this.element),
      clear: () => this.#clear([value]),
    }));
  }

  #clear(values: Value[]): void {
    for (const each of values) each.clear();
    unmarkFields(this.element);
    this.refresh();
  }

  /** Show whether it has a value, after the value was set from outside. */
  refresh(): void {
    this.element.dispatchEvent(new Event("input", { bubbles: true }));
  }

  open(): void {
    this.element.open = true;
    this.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
}

function termOf({ title, term }: SectionTexts): HTMLElement | undefined {
  return term === undefined || term === title ? undefined : h("small", { class: "term" }, term);
}
