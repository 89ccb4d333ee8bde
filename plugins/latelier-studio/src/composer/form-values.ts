/** What the form shows, and how a request is read into it. */

import type { Model, NamedOptions, PictureRequest } from "../api/types.ts";
import { choicesOf, simplify } from "../form/named.ts";
import { asObject } from "../form/schema.ts";
import { hasEachSlot, withNames } from "../page/drew.ts";
import { promptOf, referencesOf } from "./inputs.ts";

type Fields = Record<string, unknown>;

/** The values of all parts of the form. */
export interface FormValues {
  prompt: string;
  /** What should be left out; undefined: nothing. */
  negative: unknown;
  /** Values of the inputs but the prompt. */
  inputs: Fields;
  /** Strengths of adapters, other than that of training. */
  scales: Record<string, number>;
  /** The picture to start from, its mask and its strength. */
  start: Fields;
  /** The fields below Details. */
  details: Fields;
  count: number;
}

/** Fields of a picture's settings that the server chose to fit its memory: it chooses for others by itself. */
const OF_THE_SERVER = new Set(["batch_size", "tile"]);

/** Return how the form shows the request of one picture, which has inputs of one row. */
export function readRequest(request: PictureRequest, model: Model): FormValues {
  const { inputs: given, ...start } = withoutInpainting(request, model);
  const prompt = promptOf(model) ?? "";
  const { [prompt]: text, ...inputs } = spellOut(given, model);
  return {
    prompt: promptText(text, model),
    negative: promptText(spellOut(request.negative ?? {}, model)[prompt], model) || undefined,
    inputs,
    scales: request.adapter_scales ?? {},
    start,
    details: withoutDefaults(request, model),
    count: request.n ?? 1,
  };
}

/** Return the text of an input that is the prompt; "" for none. */
export function promptText(value: unknown, model: Model): string {
  const schema = model.inputs[promptOf(model) ?? ""];
  return String(schema ? (Object.values(asObject(value, schema))[0] ?? "") : "");
}

/** Return a request whose picture and mask are those of every model, and not an input of this one. */
function withoutInpainting(request: PictureRequest, model: Model): PictureRequest {
  const inputs = { ...request.inputs };
  const pictures: Partial<PictureRequest> = {};
  for (const name of model.inpainting) {
    const { image, mask } = asObject(inputs[name], model.inputs[name] ?? {});
    if (image) Object.assign(pictures, { init_image: [image], ...(mask ? { mask: [mask] } : {}) });
    delete inputs[name];
  }
  return { ...request, ...pictures, inputs };
}

/** Return inputs with names in the prompt, where references are what the look-up makes of such names. */
function spellOut(inputs: Fields, model: Model): Fields {
  const name = referencesOf(model);
  const prompt = promptOf(model);
  if (!name || !prompt) return inputs;
  const { pictures, ...poses } = asObject(inputs[name], model.inputs[name] ?? {});
  const text = promptText(inputs[prompt], model);
  const isPosed = Object.values(poses).some((each) => each !== undefined && each !== null);
  if (isPosed || !isNames(pictures) || !hasEachSlot(text, pictures.length)) return inputs;
  const { [name]: _, ...others } = inputs;
  return { ...others, [prompt]: withNames(text, pictures.map((each) => ({ name: each }))) };
}

function isNames(pictures: unknown): pictures is string[] {
  const isName = (each: unknown): boolean => typeof each === "string" && !each.startsWith("data:");
  return Array.isArray(pictures) && pictures.every(isName);
}

/** Return the fields that differ from what the model has by default. */
function withoutDefaults(request: PictureRequest, model: Model): Fields {
  const properties = model.request.properties ?? {};
  const simple = Object.entries(request).map(([name, value]) => {
    const choices = choicesOf(model, name);
    return [name, choices && value ? simplify(value as NamedOptions, choices) : value] as const;
  });
  const entries = simple.filter(([name, value]) => {
    if (OF_THE_SERVER.has(name)) return false;
    const standard = properties[name]?.default;
    return JSON.stringify(value) !== JSON.stringify(standard);
  });
  return Object.fromEntries(entries);
}
