/** What a picture is made of besides the prompt, as chips: a name shows its place in the form, a cross clears it. */

import { h } from "../dom.ts";
import { icon } from "../icons.ts";

/** A value that the form has, beyond the defaults of the model. */
export interface Use {
  /** What it is, in plain words. */
  text: string;
  /** Bring its place in the form into view. */
  show(): void;
  clear(): void;
}

export class InUse {
  readonly element = h("div", { class: "in-use", role: "group", "aria-label": "In use besides the prompt", hidden: true });
  readonly #onEmpty: () => void;
  #uses: Use[] = [];

  /** `onEmpty` takes the focus when the last chip is gone. */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  /** Show other uses. Chips of which the text stays are kept, and with them the focus. */
  set uses(uses: Use[]) {
    const isSame = uses.length === this.#uses.length && uses.every(({ text }, index) => text === this.#uses[index]?.text);
    this.#uses = uses;
    if (isSame) return;
    this.element.hidden = uses.length === 0;
    this.element.replaceChildren(h("span", {}, "Also used:"), ...uses.map(({ text }, index) => this.#chip(text, index)));
  }

  #chip(text: string, index: number): HTMLElement {
    const show = { type: "button", class: "use-name", title: "Show it", onClick: () => this.#uses[index]?.show() };
    const clear = { type: "button", class: "icon-button", "aria-label": `Clear “${text}”`, onClick: () => this.#clear(index) };
    return h("span", { class: "use" }, h("button", show, text), h("button", clear, icon("close")));
  }

  #clear(index: number): void {
    this.#uses[index]?.clear();
    const left = [...this.element.querySelectorAll<HTMLElement>(".icon-button")];
    if (this.#uses.length === 0) this.#onEmpty();
    else left[Math.min(index, left.length - 1)]?.focus();
  }
}
