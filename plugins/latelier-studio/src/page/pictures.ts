/** Pictures as the page handles them, whether they come from a job or from the gallery. */

import type { Drew, GalleryPicture, Job, PictureRequest } from "../api/types.ts";
import { withNames } from "./drew.ts";

export interface Shown {
  url: string;
  seed: number;
  width: number;
  height: number;
  /** In the gallery; null if it is not kept there. */
  galleryId: string | null;
  request: PictureRequest | null;
  drew: Drew[];
  starred: boolean;
}

/** What changes of a picture that others start from. */
export type Extent = "whole" | "part";

/** What can be done with a picture elsewhere on the page. */
export interface PictureActions {
  /** Put its settings into the form. */
  useSettings(picture: Shown): void;
  /** Make others from it, with its prompt: of the whole, or of a painted part. */
  startFrom(picture: Shown, extent: Extent): void;
  /** Called when the gallery has changed. */
  galleryChanged(): void;
}

export function ofJob(job: Job, request: PictureRequest | null): Shown[] {
  return job.pictures.map((each) => ({
    url: each.url,
    seed: each.seed,
    width: each.width,
    height: each.height,
    galleryId: each.gallery_id,
    request,
    drew: each.drew,
    starred: false,
  }));
}

export function ofGallery(entry: GalleryPicture): Shown {
  const { url, seed, width, height, id, request, drew, starred } = entry;
  return { url, seed, width, height, galleryId: id, request: { ...request, model: entry.model }, drew, starred };
}

/** Return the texts of a request's inputs, as a caption and for screen readers. */
export function captionOf(picture: Shown): string {
  const texts: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === "string" && !value.startsWith("data:")) texts.push(withNames(value, picture.drew));
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(collect);
  };
  collect(picture.request?.inputs);
  const names = picture.drew.map(({ name }) => name);
  const others = texts.filter((text) => !names.includes(text)); // a prompt has the names already
  return [...new Set(others.length > 0 ? others : texts)].join(", ") || "A picture";
}

/** Return an image of a picture. Small ones stay crisp when they are enlarged. */
export function imageOf(picture: Shown, props: Record<string, unknown> = {}): HTMLImageElement {
  const image = document.createElement("img");
  const { url: src, width, height } = picture;
  return Object.assign(image, { src, width, height, alt: captionOf(picture), ...props });
}

/** Return the bytes of a picture. */
export async function fetchPicture(url: string): Promise<Blob> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error("The picture is no longer there.");
  return answer.blob();
}
