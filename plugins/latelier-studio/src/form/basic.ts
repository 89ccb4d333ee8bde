/** Widgets of plain values: text, numbers, choices, switches, JSON. */

import { h, newId } from "../dom.ts";
import { Widget } from "./widget.ts";

/** One line of text. */
class TextWidget extends Widget<string> {
  protected input!: HTMLInputElement | HTMLTextAreaElement;

  protected build(): void {
    this.input = this.createInput();
    this.input.setAttribute("aria-labelledby", this.labelId);
    this.input.addEventListener("input", (event) => {
      event.stopPropagation();
      this.change(this.input.value.trim() === "" ? undefined : this.input.value);
    });
    this.append(this.input);
  }

  protected createInput(): HTMLInputElement | HTMLTextAreaElement {
    return h("input", { type: "text", maxLength: this.schema.maxLength, autocomplete: "off" });
  }

  protected show(): void {
    this.input.value = this.current ?? "";
  }
}

/** A long text. Its box grows with it. */
class PromptWidget extends TextWidget {
  protected override createInput(): HTMLTextAreaElement {
    return h("textarea", { rows: 2, maxLength: this.schema.maxLength, spellcheck: true });
  }
}

/** One of many names, found by typing. */
class SearchWidget extends TextWidget {
  protected override createInput(): HTMLInputElement {
    const id = newId("names");
    const options = (this.schema.enum ?? []).map((name) => h("option", { value: name }));
    this.append(h("datalist", { id }, ...options));
    return h("input", { type: "text", list: id, placeholder: "Type to search", autocomplete: "off" });
  }
}

/** One of a few names. */
class ChoiceWidget extends Widget<string> {
  #select!: HTMLSelectElement;

  protected build(): void {
    const { default: standard } = this.schema;
    const empty = standard === undefined ? "Choose …" : standard === null ? "None" : undefined;
    const names = this.schema.enum ?? [];
    this.#select = h(
      "select",
      {
        "aria-labelledby": this.labelId,
        onInput: (event: Event) => {
          event.stopPropagation();
          this.change(this.#select.value || undefined);
        },
      },
      empty && h("option", { value: "" }, empty),
      ...names.map((name) => h("option", { value: name }, name)),
    );
    this.append(this.#select);
  }

  protected show(): void {
    this.#select.value = this.current ?? String(this.schema.default ?? "");
  }
}

const MOST_ON_SLIDER = 100;

/** A number: with a slider where it lies between two bounds. */
class NumberWidget extends Widget<number> {
  #input!: HTMLInputElement;
  #slider: HTMLInputElement | undefined;

  protected build(): void {
    const { minimum, exclusiveMinimum, maximum, exclusiveMaximum, type } = this.schema;
    const low = minimum ?? exclusiveMinimum;
    const high = maximum ?? exclusiveMaximum;
    const step = type === "integer" ? 1 : "any";
    const hasSlider = low !== undefined && high !== undefined && high - low <= MOST_ON_SLIDER;
    this.#input = this.#createInput({ type: "number", min: low, max: high, step });
    this.#input.placeholder = String(this.schema.default ?? "auto");
    if (hasSlider) {
      const fine = type === "integer" ? 1 : (high - low) / 100;
      this.#slider = this.#createInput({ type: "range", min: low, max: high, step: fine });
      this.append(this.#slider);
    }
    this.append(this.#input);
    this.classList.toggle("has-slider", hasSlider);
  }

  #createInput(props: Record<string, unknown>): HTMLInputElement {
    const input = h("input", {
      ...props,
      "aria-labelledby": this.labelId,
      inputMode: this.schema.type === "integer" ? "numeric" : "decimal",
      onInput: (event: Event) => {
        event.stopPropagation();
        const value = input.valueAsNumber;
        this.change(Number.isFinite(value) ? value : undefined);
        this.show(input);
      },
    });
    return input;
  }

  protected show(edited?: HTMLInputElement): void {
    const text = this.current === undefined ? "" : String(Number(this.current.toFixed(4)));
    if (edited !== this.#input) this.#input.value = text;
    if (this.#slider && edited !== this.#slider) {
      const { default: standard, default_text } = this.schema;
      this.#slider.value = text || String(standard ?? Number.parseFloat(default_text ?? "0"));
    }
  }
}

/** Yes or no. */
class ToggleWidget extends Widget<boolean> {
  #box!: HTMLInputElement;

  protected build(): void {
    this.#box = h("input", {
      type: "checkbox",
      role: "switch",
      "aria-labelledby": this.labelId,
      onInput: (event: Event) => {
        event.stopPropagation();
        this.change(this.#box.checked);
      },
    });
    this.append(this.#box);
  }

  protected show(): void {
    this.#box.checked = this.current ?? this.schema.default === true;
  }
}

/** Any value, as JSON: for formats that no widget knows. */
class JsonWidget extends Widget<unknown> {
  #input!: HTMLTextAreaElement;

  protected build(): void {
    this.#input = h("textarea", {
      rows: 3,
      class: "code",
      spellcheck: false,
      placeholder: "JSON",
      "aria-labelledby": this.labelId,
      onInput: (event: Event) => {
        event.stopPropagation();
        this.#read();
      },
    });
    this.append(this.#input);
  }

  #read(): void {
    const text = this.#input.value.trim();
    try {
      this.change(text === "" ? undefined : (JSON.parse(text) as unknown));
      this.#input.setCustomValidity("");
    } catch {
      this.#input.setCustomValidity("This is not JSON yet.");
    }
    this.#input.toggleAttribute("aria-invalid", !this.#input.validity.valid);
  }

  protected show(): void {
    this.#input.value = this.current === undefined ? "" : JSON.stringify(this.current, null, 1);
  }
}

customElements.define("studio-text", TextWidget);
customElements.define("studio-prompt", PromptWidget);
customElements.define("studio-search", SearchWidget);
customElements.define("studio-choice", ChoiceWidget);
customElements.define("studio-number", NumberWidget);
customElements.define("studio-toggle", ToggleWidget);
customElements.define("studio-json", JsonWidget);
