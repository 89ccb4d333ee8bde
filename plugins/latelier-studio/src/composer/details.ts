/** The fields that every request has, for people who know what they mean. */

import type { NamedOptions, Schema, Server } from "../api/types.ts";
import { h } from "../dom.ts";
import { labelOf } from "../form/faults.ts";
import { createField, type Field } from "../form/field.ts";
import { bareName } from "../form/named.ts";
import { resolve } from "../form/schema.ts";
import type { Host } from "../form/widget.ts";
import type { Value } from "./section.ts";

/** Fields that other parts of the page have. */
const ELSEWHERE = new Set(["inputs", "negative", "n", "init_image", "mask", "strength"]);

/** Fields in sight, in this order, with a label and a hint for those who do not know the terms. */
const PLAIN: Record<string, { label: string; hint: string }> = {
  size: { label: "Size", hint: "Width and height in pixels." },
  steps: { label: "Steps", hint: "More steps take longer, and often look better." },
  guidance: { label: "Guidance", hint: "" },
  seed: { label: "Seed", hint: "The same seed and settings give the same picture. Empty: a new one." },
  sampler: { label: "Sampler", hint: "" },
  schedule: { label: "Schedule", hint: "" },
};

export class Details {
  readonly element: HTMLElement;
  readonly #fields = new Map<string, Field>();

  constructor(schema: Schema, host: Host, server: Server) {
    const plain: HTMLElement[] = [];
    const expert: HTMLElement[] = [];
    const names = Object.keys(schema.properties ?? {}).filter((name) => !ELSEWHERE.has(name));
    const order = [...Object.keys(PLAIN).filter((name) => names.includes(name)), ...names];
    for (const name of new Set(order)) {
      const resolved = resolve(schema.properties?.[name] ?? {}, schema.$defs);
      if (resolved.format === "named-options") resolved.format = name;
      if (name === "steps") resolved.maximum = server.limits.steps;
      const field = createField(name, resolved, host, textsOf(name, server));
      this.#fields.set(name, field);
      (name in PLAIN ? plain : expert).push(field.element);
    }
    this.element = h(
      "div",
      { class: "details" },
      ...plain,
      h("details", { class: "more" }, h("summary", {}, "Expert"), ...expert),
    );
  }

  /** What it has beyond the defaults of the model, in plain words. */
  get values(): Value[] {
    const given = [...this.#fields].filter(([, { widget }]) => widget.value !== undefined);
    return given.map(([name, { widget, element }]) => ({
      text: describe(name, widget.value, labelOf(element)),
      place: element,
      clear: () => {
        widget.value = undefined;
      },
    }));
  }

  get value(): Record<string, unknown> {
    const given = [...this.#fields].filter(([, { widget }]) => widget.value !== undefined);
    return Object.fromEntries(given.map(([name, { widget }]) => [name, widget.value]));
  }

  set value(request: Record<string, unknown>) {
    for (const [name, { widget }] of this.#fields) widget.value = request[name] ?? undefined;
  }

  /** Return the value of a field, or the model's default. */
  get(name: string): unknown {
    const field = this.#fields.get(name)?.widget;
    return field?.value ?? field?.schema.default;
  }

  /** Set a field; the model's default leaves it empty. */
  set(name: string, value: unknown): void {
    const widget = this.#fields.get(name)?.widget;
    if (!widget) return;
    const isDefault = JSON.stringify(value) === JSON.stringify(widget.schema.default);
    widget.value = isDefault ? undefined : value;
  }
}

/** Return the value of a field in plain words. */
function describe(name: string, value: unknown, label: string): string {
  if (name === "seed") return `A fixed seed ${value}`;
  if (name === "steps") return `${value} steps`;
  if (name === "size") return `${label} ${(value as number[]).join(" × ")}`;
  if (typeof value === "number" || typeof value === "string") return `${label}: ${value}`;
  const { name: chosen, options } = value as Partial<NamedOptions>;
  if (chosen === undefined) return label;
  const numbers = Object.values(options ?? {}).filter((each) => typeof each === "number");
  return `${label}: ${[bareName(chosen), ...numbers].join(" ")}`;
}

function textsOf(name: string, server: Server): { label: string; hint: string } | undefined {
  const texts = PLAIN[name];
  if (!texts || name !== "steps") return texts;
  return { ...texts, hint: `1 to ${server.limits.steps}. ${texts.hint}` };
}
