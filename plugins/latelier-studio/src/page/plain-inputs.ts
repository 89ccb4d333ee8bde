/** What inputs are called, for people who do not know the terms. */

import type { Schema } from "../api/types.ts";
import { hasReferences, isListOfBoxes, resolve } from "../form/schema.ts";

/** Return what the value of an input is, in plain words: "2 boxes". Of other inputs that is their title. */
export function describeInput(schema: Schema, value: unknown, title: string): string {
  const fields = Object.values(schema.properties ?? {}).map((each) => resolve(each, schema.$defs));
  if (hasReferences(schema)) return countOf(value, "A drawing", "drawings");
  if (fields.some(isListOfBoxes)) return countOf(value, "A box", "boxes");
  if (fields.some(({ format }) => format === "semantic-map")) return "A painted map";
  const [given] = valuesOf(value);
  return typeof given === "string" && !given.startsWith("data:") ? `${title}: ${given}` : title;
}

/** Return how many entries the list of an input has, in words. */
function countOf(value: unknown, one: string, many: string): string {
  const list = valuesOf(value).find(Array.isArray) ?? [];
  return list.length === 1 ? one : `${list.length} ${many}`;
}

/** Return the values of the fields of an input; one without a field's name is the only one. */
function valuesOf(value: unknown): unknown[] {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? Object.values(value) : [value];
}
