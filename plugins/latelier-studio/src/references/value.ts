/** The input of reference pictures as requests have it. */

import type { Schema } from "../api/types.ts";
import { readBox } from "../canvas/layout.ts";
import { asObject } from "../form/schema.ts";
import type { Pose } from "./pose.ts";

/** The data URI of a picture, or the name or number of an entry. */
export type Source = string | number;

export interface Reference {
  source: Source;
  /** Its place; undefined: the prompt decides. */
  pose: Pose | undefined;
}

/** Return whether a drawing is a picture of the person's. */
export function isOwn(source: Source): source is string {
  return typeof source === "string" && source.startsWith("data:");
}

/** Return the references of a value: an object, a list of pictures, or one of them. */
export function readReferences(value: unknown, schema: Schema): Reference[] {
  const { pictures = [], boxes, turns, mirrored } = asObject(value, schema) as Record<string, unknown[] | null>;
  const list = Array.isArray(pictures) ? pictures : [pictures];
  return list.map((source, k) => {
    const isMirrored = mirrored?.[k] === true;
    const pose = boxes ? { box: readBox(boxes[k]), turn: Number(turns?.[k] ?? 0), isMirrored } : undefined;
    return { source: source as Source, pose };
  });
}

/** Return references as a value. All of them have a place, or none. */
export function writeReferences(references: Reference[]): unknown {
  const pictures = references.map(({ source }) => source);
  const poses = references.flatMap(({ pose }) => (pose ? [pose] : []));
  if (pictures.length === 0) return undefined;
  if (poses.length < pictures.length) return { pictures };
  return {
    pictures,
    boxes: poses.map(({ box }) => box),
    turns: poses.map(({ turn }) => turn),
    mirrored: poses.map(({ isMirrored }) => isMirrored),
  };
}
