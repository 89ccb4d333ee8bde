/** The choice of who decides where drawings are: the prompt, or the person. */

import { h, newId } from "../dom.ts";

export class Placement {
  readonly element: HTMLFieldSetElement;
  readonly #own: HTMLInputElement;
  readonly #prompt: HTMLInputElement;

  constructor(onChange: () => void) {
    const name = newId("placement");
    const create = (): HTMLInputElement =>
      h("input", {
        type: "radio",
        name,
        onInput: (event: Event) => {
          event.stopPropagation();
          onChange();
        },
      });
    this.#prompt = create();
    this.#own = create();
    this.element = h(
      "fieldset",
      { class: "count", hidden: true },
      h("legend", { class: "visually-hidden" }, "Places"),
      h("label", {}, this.#prompt, "The prompt decides"),
      h("label", {}, this.#own, "As placed here"),
    );
    this.isOwn = false;
  }

  get isOwn(): boolean {
    return this.#own.checked;
  }

  set isOwn(isOwn: boolean) {
    this.#own.checked = isOwn;
    this.#prompt.checked = !isOwn;
  }
}
