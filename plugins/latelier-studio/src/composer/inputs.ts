/** The conditions of a model, each with its widget. The first long text is the prompt. */

import type { Model, Schema } from "../api/types.ts";
import { h, humanize, newId } from "../dom.ts";
import { createField } from "../form/field.ts";
import { createWidget } from "../form/formats.ts";
import { hasReferences, hintOf, resolve } from "../form/schema.ts";
import type { Host, WidgetElement } from "../form/widget.ts";
import { describeInput, titleOf } from "./plain-inputs.ts";
import { Section } from "./section.ts";

const LONG_TEXT = 200;

const SCALE: Schema = { type: "number", minimum: 0, maximum: 2, default: 1 };

/** Return the name of the input that is the prompt, if there is one. */
export function promptOf(model: Model): string | undefined {
  return Object.entries(model.inputs).find(([, schema]) => {
    const fields = Object.values(schema.properties ?? {});
    const [only] = fields;
    return fields.length === 1 && only?.type === "string" && (only.maxLength ?? 0) > LONG_TEXT;
  })?.[0];
}

/** Return the name of the input of reference pictures, if there is one. */
export function referencesOf(model: Model): string | undefined {
  return Object.keys(model.inputs).find((name) => hasReferences(resolve(model.inputs[name] ?? {})));
}

/** The widgets of all inputs but the prompt, in sections. */
export class Inputs {
  readonly sections = new Map<string, Section>();
  readonly #widgets = new Map<string, WidgetElement>();
  readonly #scales = new Map<string, WidgetElement>();

  constructor(model: Model, host: Host) {
    const prompt = promptOf(model);
    for (const [name, raw] of Object.entries(model.inputs)) {
      if (name === prompt || model.inpainting.includes(name)) continue;
      const schema = resolve(raw);
      const labelId = newId("label");
      const widget = createWidget(schema, host, labelId);
      const title = titleOf(model, name);
      const label = h("span", { id: labelId, class: "label visually-hidden" }, title);
      const content = h("div", { class: "condition" }, label, widget);
      if (model.adapters.includes(name)) {
        const texts = { label: "Strength", hint: "0: no effect. 1: as it was trained." };
        const scale = createField("scale", SCALE, host, texts);
        this.#scales.set(name, scale.widget);
        content.append(scale.element);
      }
      const texts = { title, term: humanize(name), about: hintOf(schema) };
      const section = new Section(texts, content, () => {
        if (widget.value === undefined) return [];
        const clear = (): void => {
          widget.value = undefined;
        };
        return [{ text: describeInput(model, name, widget.value), clear }];
      });
      section.element.dataset.input = name;
      this.sections.set(name, section);
      this.#widgets.set(name, widget);
    }
  }

  get value(): Record<string, unknown> {
    const given = [...this.#widgets].filter(([, widget]) => widget.value !== undefined);
    return Object.fromEntries(given.map(([name, widget]) => [name, widget.value]));
  }

  set value(inputs: Record<string, unknown>) {
    for (const [name, widget] of this.#widgets) {
      widget.value = inputs[name];
      this.sections.get(name)?.refresh();
    }
  }

  /** Set one input. */
  set(name: string, value: unknown): void {
    const widget = this.#widgets.get(name);
    if (widget) widget.value = value;
    this.sections.get(name)?.refresh();
  }

  /** The strengths of adapters that are used, other than that of training. */
  get scales(): Record<string, number> {
    const given = [...this.#scales].filter(
      ([name, scale]) => scale.value !== undefined && this.#widgets.get(name)?.value !== undefined,
    );
    return Object.fromEntries(given.map(([name, scale]) => [name, scale.value as number]));
  }

  set scales(scales: Record<string, number>) {
    for (const [name, scale] of this.#scales) scale.value = scales[name];
  }

  resize(): void {
    for (const widget of this.#widgets.values()) widget.resize?.();
  }
}

