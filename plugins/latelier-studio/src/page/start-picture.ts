/** The part of the form for pictures that are made from another one. */

import type { PictureRequest, Schema } from "../api/types.ts";
import { cropPicture } from "../canvas/pictures.ts";
import { h } from "../dom.ts";
import { createField, type Field } from "../form/field.ts";
import { resolve } from "../form/schema.ts";
import type { Host } from "../form/widget.ts";

/** Return a request whose initial image and mask have the proportions of its size: the server stretches others. */
export async function cropStart(request: PictureRequest): Promise<PictureRequest> {
  const { size } = request;
  if (!size) return request;
  const crop = (pictures: string[]): Promise<string[]> =>
    Promise.all(pictures.map((each) => cropPicture(each, size)));
  return {
    ...request,
    ...(request.init_image && { init_image: await crop(request.init_image) }),
    ...(request.mask && { mask: await crop(request.mask) }),
  };
}

/** Fields of a request: a picture to start from, how much changes, and which part of it. */
export class StartPicture {
  readonly element: HTMLElement;
  readonly #image: Field;
  readonly #strength: Field;
  readonly #mask: Field;
  readonly #more: HTMLElement;
  #isPart = false;

  constructor(properties: Record<string, Schema>, host: Host) {
    const pick = (name: string, label: string, hint: string): Field => {
      const schema = resolve(properties[name] ?? {});
      const single = schema.items ? resolve(schema.items) : schema;
      return createField(name, { ...single, default: undefined }, host, { label, hint });
    };
    this.#image = pick("init_image", "Picture", "New pictures begin with this one, cut to their size.");
    this.#strength = pick("strength", "How much changes", "0: almost nothing. 1: everything.");
    this.#mask = pick("mask", "What changes", ""); // the widget has its own hint
    this.#more = h("div", { hidden: true }, this.#mask.element, this.#strength.element);
    this.element = h("div", {}, this.#image.element, this.#more);
    this.#image.element.addEventListener("input", () => this.#follow());
    this.#mask.element.addEventListener("picture", (event) => {
      this.#image.widget.value = (event as CustomEvent<string>).detail;
      this.#image.element.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  #follow(): void {
    const picture = this.#image.widget.value as string | undefined;
    this.#more.hidden = picture === undefined;
    if (picture === undefined) this.#isPart = false;
    this.#mask.widget.picture = picture;
  }

  /** Ask for the part that changes. */
  askForMask(): void {
    this.#isPart = true;
    this.#mask.element.scrollIntoView({ block: "center", behavior: "smooth" });
  }

  /** Whether a part was asked for, and none is painted. */
  get lacksMask(): boolean {
    return this.#isPart && this.#mask.widget.value === undefined;
  }

  /** Fields of the request. */
  get value(): Record<string, unknown> {
    const image = this.#image.widget.value;
    if (image === undefined) return {};
    const mask = this.#mask.widget.value;
    const strength = this.#strength.widget.value;
    return {
      init_image: [image],
      ...(mask !== undefined && { mask: [mask] }),
      ...(strength !== undefined && { strength }),
    };
  }

  set value(fields: Record<string, unknown>) {
    this.#isPart = false;
    this.#image.widget.value = first(fields.init_image);
    this.#strength.widget.value = fields.strength ?? undefined;
    this.#follow();
    this.#mask.widget.value = first(fields.mask);
  }
}

function first(value: unknown): unknown {
  return (Array.isArray(value) ? value[0] : value) ?? undefined;
}
