/** What inputs of the built-in kinds are called, for people who do not know the terms. */

import type { Model, Schema } from "../api/types.ts";
import { humanize } from "../dom.ts";
import { hasReferences, isListOfBoxes, resolve } from "../form/schema.ts";

interface Kind {
  title: string;
  has(schema: Schema): boolean;
  /** Return what a value is, in plain words. */
  describe(value: unknown): string;
}

const KINDS: Kind[] = [
  {
    title: "Things to draw",
    has: hasReferences,
    describe: (value) => countOf(value, "A drawing", "drawings"),
  },
  {
    title: "Boxes",
    has: (schema) => fieldsOf(schema).some(isListOfBoxes),
    describe: (value) => countOf(value, "A box", "boxes"),
  },
  {
    title: "Painted map",
    has: (schema) => fieldsOf(schema).some(({ format }) => format === "semantic-map"),
    describe: () => "A painted map",
  },
  {
    title: "Enlarge a small picture",
    has: (schema) => schema.title === "LowResolution",
    describe: () => "Enlarges a small picture",
  },
  {
    title: "A thing from a list",
    has: (schema) => schema.title === "ClassLabel",
    describe: (value) => `From the list: ${valuesOf(value)[0]}`,
  },
];

function kindOf(model: Model, name: string): Kind | undefined {
  const schema = resolve(model.inputs[name] ?? {});
  return model.adapters.includes(name) ? undefined : KINDS.find(({ has }) => has(schema));
}

/** Return the title of an input: a plain one of its kind, else its name. */
export function titleOf(model: Model, name: string): string {
  return kindOf(model, name)?.title ?? humanize(name);
}

/** Return what the value of an input is, in plain words: "2 boxes". Of unknown kinds that is the input's name. */
export function describeInput(model: Model, name: string, value: unknown): string {
  return kindOf(model, name)?.describe(value) ?? humanize(name);
}

function fieldsOf(schema: Schema): Schema[] {
  return Object.values(schema.properties ?? {}).map((each) => resolve(each, schema.$defs));
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
