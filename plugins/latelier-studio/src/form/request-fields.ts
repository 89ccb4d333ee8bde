/** Widgets of fields that every request has: the size, and names with options. */

import type { Choice, NamedOptions } from "../api/types.ts";
import { h } from "../dom.ts";
import { registerFormat } from "./formats.ts";
import { choicesOf } from "./named.ts";
import { Widget, type WidgetElement } from "./widget.ts";

/** (width, height) in pixels. */
class SizeWidget extends Widget<[number, number]> {
  #sides: HTMLInputElement[] = [];

  protected build(): void {
    const step = this.host.model.size_multiple;
    this.#sides = ["Width", "Height"].map((name) =>
      h("input", {
        type: "number",
        min: step,
        step,
        inputMode: "numeric",
        "aria-label": `${name} in pixels`,
        onInput: (event: Event) => {
          event.stopPropagation();
          const [width, height] = this.#sides.map((side) => side.valueAsNumber);
          this.change(width && height ? [width, height] : undefined);
        },
      }),
    );
    const [width, height] = this.#sides;
    this.append(width ?? "", h("span", { "aria-hidden": "true" }, "×"), height ?? "");
  }

  protected show(): void {
    const shown = this.current ?? (this.schema.default as [number, number] | null);
    this.#sides.forEach((side, index) => {
      side.value = String(shown?.[index] ?? "");
    });
  }
}

/** A sampler, a schedule or a guidance rule, with its own options. */
class NamedWidget extends Widget<NamedOptions> {
  #select!: HTMLSelectElement;
  #summary!: HTMLElement;
  #options!: HTMLElement;

  get #choices(): Choice[] {
    return choicesOf(this.host.model, this.schema.format) ?? [];
  }

  protected build(): void {
    this.#select = h(
      "select",
      {
        "aria-labelledby": this.labelId,
        onInput: (event: Event) => {
          event.stopPropagation();
          const name = this.#select.value;
          this.change(name ? { name, options: {} } : undefined);
          this.#showOptions();
        },
      },
      !this.schema.default && h("option", { value: "" }, "None"),
      ...this.#choices.map(({ name }) => h("option", { value: name }, name)),
    );
    this.#summary = h("small", { class: "hint" });
    this.#options = h("div", { class: "options" });
    this.append(this.#select, this.#summary, this.#options);
  }

  protected show(): void {
    const { name } = this.#shown;
    if (![...this.#select.options].some((option) => option.value === name)) {
      this.#select.append(h("option", { value: name }, name));
    }
    this.#select.value = name;
    this.#showOptions();
  }

  get #shown(): NamedOptions {
    const standard = this.schema.default as NamedOptions | null | undefined;
    return this.current ?? standard ?? { name: "", options: {} };
  }

  #showOptions(): void {
    const { name, options } = this.#shown;
    const choice = this.#choices.find((each) => each.name === name);
    this.#summary.textContent = choice?.summary || (choice?.about ?? "");
    const form = document.createElement("studio-options") as WidgetElement;
    const shown = this.schema.format === "guidance" ? 1 : 0; // its scale
    const about = choice?.summary ? choice.about : "";
    Object.assign(form, { schema: choice?.options ?? {}, host: this.host, value: options, shown, about });
    form.addEventListener("input", (event) => {
      event.stopPropagation();
      this.change({ name, options: form.value as Record<string, unknown> });
    });
    this.#options.replaceChildren(form);
  }
}

customElements.define("studio-size", SizeWidget);
customElements.define("studio-named", NamedWidget);
registerFormat("size", "studio-size");
for (const field of ["sampler", "schedule", "guidance", "acceleration"]) {
  registerFormat(field, "studio-named");
}
