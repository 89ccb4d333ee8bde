/** What the server's API sends and takes (docs/server.md). */

import type { Box } from "../canvas/box.ts";

export interface Server {
  limits: { pictures: number; steps: number; pixels: number };
  has_gallery: boolean;
  is_exact: boolean;
  default_model: string;
}

export interface ModelSummary {
  name: string;
  description: string;
  size: [number, number];
  is_default: boolean;
}

export interface Label {
  value: number;
  name?: string;
  color?: string;
}

/** A JSON schema, as far as pydantic writes it. */
export interface Schema {
  type?: string;
  format?: string;
  title?: string;
  description?: string;
  default?: unknown;
  default_text?: string;
  enum?: string[];
  anyOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  maxLength?: number;
  labels?: Label[];
}

export interface Choice {
  name: string;
  /** What it does to the picture, in plain words. */
  summary: string;
  /** What it is, for those who know the terms. */
  about: string;
  options: Schema;
}

export interface Model {
  name: string;
  description: string;
  size_multiple: number;
  inputs: Record<string, Schema>;
  adapters: string[];
  /** Inputs that take `init_image` and `mask` of a request. */
  inpainting: string[];
  request: Schema;
  samplers: Choice[];
  schedules: Choice[];
  guidances: Choice[];
  accelerations: Choice[];
  /** Names of what the model can draw. */
  subjects: string[];
}

export interface NamedOptions {
  name: string;
  options: Record<string, unknown>;
}

/** A request of `POST /api/jobs`: fields that are missing have the model's defaults. */
export interface PictureRequest {
  model?: string;
  keep?: boolean;
  inputs: Record<string, unknown>;
  negative?: Record<string, unknown>;
  n?: number;
  seed?: number;
  size?: [number, number];
  init_image?: string[];
  mask?: string[];
  steps?: number;
  sampler?: NamedOptions;
  guidance?: NamedOptions;
  adapter_scales?: Record<string, number>;
  [field: string]: unknown;
}

/** An entry of a database of pictures; its place in the list is its number. */
export interface DatabaseEntry {
  name: string;
  synonyms: string[];
}

/** What a picture was shown: an entry of a database, or without a name a picture of the request. */
export interface Drew {
  name: string | null;
  box?: Box;
  turn?: number;
  mirrored?: boolean;
}

export interface JobPicture {
  url: string;
  seed: number;
  width: number;
  height: number;
  gallery_id: string | null;
  drew: Drew[];
}

export interface Verdict {
  index: number;
  verdict: "identical" | "equal within tolerance" | "different";
  max_difference: number;
  altered: boolean;
  differences: string[];
}

export interface Fault {
  message: string;
  code: string;
  field: string | null;
  reason: string | null;
}

export interface Job {
  id: string;
  model: string;
  state: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  position: number | null;
  progress: number;
  step: number;
  steps: number;
  batch: number;
  batches: number;
  pictures: JobPicture[];
  /** Sentences about the request, each with the field in front. */
  warnings: string[];
  error: Fault | null;
  result: Verdict | null;
}

export interface Preview {
  step: number;
  steps: number;
  image: string;
}

export interface GalleryPicture {
  id: string;
  url: string;
  created: number;
  model: string;
  request: PictureRequest;
  seed: number;
  width: number;
  height: number;
  drew: Drew[];
  starred: boolean;
}

/** The settings that a picture carries. */
export interface PictureSettings {
  model: string | null;
  is_served: boolean;
  request: PictureRequest;
  adapter_scales: Record<string, number>;
  drew: Drew[];
  index: number;
  seed: number;
  altered: boolean;
}
