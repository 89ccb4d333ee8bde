/** Names of samplers, schedules and guidance rules, with their options. */

import type { Choice, Model, NamedOptions } from "../api/types.ts";

/** Return what a field of a request may name, or undefined for other fields. */
export function choicesOf(model: Model, field: string | undefined): Choice[] | undefined {
  const lists: Record<string, Choice[]> = {
    sampler: model.samplers,
    schedule: model.schedules,
    guidance: model.guidances,
    acceleration: model.accelerations,
  };
  return lists[field ?? ""];
}

/** Return a value as a person would give it: without its distribution and what is the default. */
export function simplify(value: NamedOptions, choices: Choice[]): NamedOptions {
  const choice = choices.find(({ name }) => name === value.name || name === bareName(value.name));
  if (!choice) return value;
  const given = Object.entries(value.options).filter(([option, each]) => {
    const standard = choice.options.properties?.[option]?.default ?? null;
    return JSON.stringify(each ?? null) !== JSON.stringify(standard);
  });
  return { name: choice.name, options: Object.fromEntries(given) };
}

/** Return a name without its distribution: "latelier/ddim" -> "ddim". */
export function bareName(id: string): string {
  return id.split("/").at(-1) ?? id;
}
