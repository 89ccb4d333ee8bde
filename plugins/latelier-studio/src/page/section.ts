/** A part of the form that is folded away, and tells whether it has a value. */

import { h } from "../dom.ts";
import { unmarkFields } from "../form/faults.ts";

export interface SectionTexts {
  title: string;
  about?: string;
}

export class Section {
  readonly element: HTMLDetailsElement;
  readonly #mark = h("span", { class: "mark", hidden: true }, "in use");

  constructor(texts: SectionTexts, content: HTMLElement, isUsed: () => boolean, onClear?: () => void) {
    const clear = h("button", { type: "button", class: "quiet clear", hidden: true }, "Clear");
    clear.addEventListener("click", () => {
      onClear?.();
      unmarkFields(this.element);
      this.element.dispatchEvent(new Event("input"));
    });
    this.element = h(
      "details",
      { class: "section" },
      h(
        "summary",
        {},
        h("span", { class: "section-title" }, texts.title, this.#mark),
        texts.about && h("small", {}, texts.about),
      ),
      h("div", { class: "section-body" }, content, onClear && clear),
    );
    this.element.addEventListener("input", () => {
      this.#mark.hidden = clear.hidden = !isUsed();
    });
  }

  /** Show whether it has a value, after the value was set from outside. */
  refresh(): void {
    this.element.dispatchEvent(new Event("input"));
  }

  open(): void {
    this.element.open = true;
    this.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
}
