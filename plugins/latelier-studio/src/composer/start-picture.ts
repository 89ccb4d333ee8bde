/** The part of the form for pictures that are made from another one. */

import { ApiError } from "../api/client.ts";
import type { PictureRequest, Schema } from "../api/types.ts";
import { cropPicture } from "../canvas/pictures.ts";
import { h, newId } from "../dom.ts";
import { createField, type Field } from "../form/field.ts";
import { resolve } from "../form/schema.ts";
import type { Host } from "../form/widget.ts";
import { messageOf } from "../page/notice.ts";
import type { Extent } from "../page/pictures.ts";
import { referencesOf } from "./inputs.ts";
import type { Value } from "./section.ts";

const NAMED_IN_PART = "In the prompt, name only what the painted part should show.";

/** Return a request whose initial image and mask have the proportions of its size: the server stretches others. */
export async function cropStart(request: PictureRequest): Promise<PictureRequest> {
  const { size } = request;
  if (!size) return request;
  const crop = (pictures: string[]): Promise<string[]> =>
    Promise.all(pictures.map((each) => cropPicture(each, size)));
  try {
    return {
      ...request,
      ...(request.init_image && { init_image: await crop(request.init_image) }),
      ...(request.mask && { mask: await crop(request.mask) }),
    };
  } catch (error) {
    throw new ApiError(0, messageOf(error), "init_image", messageOf(error));
  }
}

/** Fields of a request: a picture to start from, which part of it changes, and how much. */
export class StartPicture {
  readonly element: HTMLElement;
  readonly #host: Host;
  readonly #image: Field;
  readonly #strength: Field;
  readonly #mask: Field;
  readonly #extent: HTMLFieldSetElement;
  readonly #more: HTMLElement;
  #turn = 0;

  constructor(properties: Record<string, Schema>, host: Host) {
    this.#host = host;
    const pick = (name: string, label: string, hint: string): Field => {
      const schema = resolve(properties[name] ?? {});
      const single = schema.items ? resolve(schema.items) : schema;
      return createField(name, { ...single, default: undefined }, host, { label, hint });
    };
    this.#image = pick("init_image", "Picture", "New pictures begin with what you see here, cut to their shape.");
    this.#strength = pick("strength", "How much changes", "0: almost nothing. 1: everything.");
    // the widget has its own hint
    this.#mask = pick("mask", "What changes", referencesOf(host.model) ? NAMED_IN_PART : "");
    this.#extent = createExtent(() => this.#showExtent());
    this.#more = h("div", { hidden: true }, this.#extent, this.#mask.element, this.#strength.element);
    this.element = h("div", {}, this.#image.element, this.#more);
    this.#image.element.addEventListener("input", () => {
      if (this.#image.widget.value === undefined) this.#choose("whole");
      void this.resize();
    });
    this.#mask.element.addEventListener("picture", (event) => {
      this.#image.widget.value = (event as CustomEvent<string>).detail;
      this.#image.element.dispatchEvent(new Event("input", { bubbles: true }));
    });
    this.#showExtent();
  }

  /** Show what is used of the picture: its middle, in the proportions of the pictures that are made. */
  async resize(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    const picture = this.#image.widget.value as string | undefined;
    this.#more.hidden = picture === undefined;
    const [width, height] = this.#host.size();
    this.#image.element.style.setProperty("--proportions", `${width} / ${height}`);
    const used = picture && (await cropPicture(picture, [width, height]));
    if (turn === this.#turn) this.#mask.widget.picture = used;
  }

  get #isPart(): boolean {
    return this.#extent.querySelector<HTMLInputElement>("[value=part]")?.checked ?? false;
  }

  #choose(extent: Extent): void {
    for (const input of this.#extent.querySelectorAll("input")) input.checked = input.value === extent;
    this.#showExtent();
  }

  #showExtent(): void {
    const { widget, element } = this.#strength;
    this.#mask.element.hidden = !this.#isPart;
    widget.schema.default_text = this.#isPart ? "1" : "0.8"; // where its slider stands without a value
    if (element.isConnected) widget.value = widget.value;
  }

  /** Let the whole picture change, or ask for the part that does. */
  change(extent: Extent): void {
    this.#choose(extent);
    if (extent === "part") this.#mask.element.scrollIntoView({ block: "center", behavior: "smooth" });
  }

  /** Whether a part was asked for, and none is painted. */
  get lacksMask(): boolean {
    const hasPicture = this.#image.widget.value !== undefined;
    return hasPicture && this.#isPart && this.#mask.widget.value === undefined;
  }

  /** What it has, in plain words. */
  get values(): Value[] {
    if (this.#image.widget.value === undefined) return [];
    const clear = (): void => {
      this.value = {};
    };
    const clearPart = (): void => {
      this.#mask.widget.value = undefined;
      this.#choose("whole");
    };
    return [
      { text: "Starts from a picture", clear },
      ...(this.#isPart ? [{ text: "Changes only a part", place: this.#mask.element, clear: clearPart }] : []),
    ];
  }

  /** Fields of the request. */
  get value(): Record<string, unknown> {
    const image = this.#image.widget.value;
    if (image === undefined) return {};
    const mask = this.#isPart ? this.#mask.widget.value : undefined;
    const strength = this.#strength.widget.value;
    return {
      init_image: [image],
      ...(mask !== undefined && { mask: [mask] }),
      ...(strength !== undefined && { strength }),
    };
  }

  set value(fields: Record<string, unknown>) {
    const mask = first(fields.mask);
    this.#image.widget.value = first(fields.init_image);
    this.#strength.widget.value = fields.strength ?? undefined;
    this.#choose(mask === undefined ? "whole" : "part");
    const turn = this.#turn + 1;
    void this.resize().then(() => {
      if (turn === this.#turn) this.#mask.widget.value = mask;
    });
  }
}

/** Return the choice of what changes. */
function createExtent(onChange: () => void): HTMLFieldSetElement {
  const name = newId("extent");
  const option = (value: Extent, text: string): HTMLElement =>
    h("label", {}, h("input", { type: "radio", name, value, checked: value === "whole", onChange }), text);
  const legend = h("legend", { class: "visually-hidden" }, "What changes");
  return h("fieldset", { class: "count" }, legend, option("whole", "Vary all of it"), option("part", "Change a part"));
}

function first(value: unknown): unknown {
  return (Array.isArray(value) ? value[0] : value) ?? undefined;
}
