/** Reading JSON schemas as pydantic writes them: one level deep, with `$ref` and optional values. */

import type { Schema } from "../api/types.ts";

/** Return a schema without `$ref`, without the `null` of optional values, and of one type. */
export function resolve(schema: Schema, defs: Record<string, Schema> = {}): Schema {
  const all = { ...defs, ...schema.$defs };
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    const { $ref: _, ...rest } = schema;
    return resolve({ ...all[name], ...rest }, all);
  }
  if (schema.anyOf) {
    const options = schema.anyOf.filter((option) => option.type !== "null");
    const { anyOf: _, ...rest } = schema;
    const first = options[0];
    if (first && (options.length === 1 || first.enum)) return resolve({ ...first, ...rest }, all);
  }
  return { ...schema, $defs: all };
}

/** Return the names of the fields that a value without a field's name may fill. */
function bareField(schema: Schema): string | undefined {
  const names = schema.required ?? Object.keys(schema.properties ?? {});
  return names.length === 1 ? names[0] : undefined;
}

/** Return the value of an input as an object of its fields. */
export function asObject(value: unknown, schema: Schema): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  const name = bareField(schema);
  return value === undefined || value === null || !name ? {} : { [name]: value };
}

/** Return whether all fields that an object needs are there. */
export function isComplete(value: Record<string, unknown>, schema: Schema): boolean {
  return (schema.required ?? []).every((name) => value[name] !== undefined);
}

/** Return whether a schema is a list of objects, each with a box. */
export function isListOfBoxes(schema: Schema): boolean {
  const item = schema.items && resolve(schema.items, schema.$defs);
  return Object.values(item?.properties ?? {}).some(
    (each) => resolve(each, item?.$defs).format === "box",
  );
}

/** Return whether a schema is an object with a list of reference pictures. */
export function hasReferences(schema: Schema): boolean {
  const items = schema.properties?.pictures?.items;
  return (items?.anyOf ?? []).some(({ format }) => format === "reference");
}

/** Return the first sentence of a description, as a hint. */
export function hintOf(schema: Schema): string {
  const text = (schema.description ?? "").split(/\n|(?<=\.) /)[0]?.replaceAll("`", "") ?? "";
  return text.charAt(0).toUpperCase() + text.slice(1);
}
