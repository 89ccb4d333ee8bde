/** The form: it makes a request of what the person enters, and shows a request that is given. */

import { ApiError } from "../api/client.ts";
import type { Drew, Model, PictureRequest, Server } from "../api/types.ts";
import { h, newId } from "../dom.ts";
import { findField, findInvalid, labelOf, markField, unmarkFields } from "../form/faults.ts";
import { createField, type Field } from "../form/field.ts";
import { asObject, resolve } from "../form/schema.ts";
import type { Host } from "../form/widget.ts";
import { withNames } from "../page/drew.ts";
import { messageOf } from "../page/notice.ts";
import type { Extent, Shown } from "../page/pictures.ts";
import { Details } from "./details.ts";
import { type FormValues, promptText, readRequest } from "./form-values.ts";
import { Inputs, promptOf, referencesOf } from "./inputs.ts";
import { titleOf } from "./plain-inputs.ts";
import { PromptBar } from "./prompt-bar.ts";
import { Section, type Value } from "./section.ts";
import { StartPicture } from "./start-picture.ts";

const COUNTS = [1, 2, 4, 8];

const LEAVE_OUT = "Leave out";

export class Composer {
  readonly bar: PromptBar;
  readonly panel: HTMLElement;
  readonly #model: Model;
  readonly #inputs: Inputs;
  readonly #details: Details;
  readonly #start: StartPicture;
  readonly #startSection: Section;
  readonly #detailsSection: Section;
  readonly #negative: Field | undefined;
  readonly #prompt: string | undefined;
  readonly #count: HTMLElement;
  #shown: Shown | undefined;

  constructor(model: Model, server: Server, onSubmit: () => void) {
    this.#model = model;
    this.#prompt = promptOf(model);
    const host: Host = {
      model,
      size: () => this.#details?.get("size") as [number, number],
      database: () => (this.#details?.get("database") as string | null) ?? undefined,
      nameOf: (slot) => this.#nameOf(slot),
    };
    const properties = model.request.properties ?? {};
    this.bar = new PromptBar(model, this.#prompt, onSubmit);
    this.#details = new Details(model.request, host, server);
    this.#inputs = new Inputs(model, host);
    this.#start = new StartPicture(properties, host);
    this.#negative = this.#createNegative(host);
    this.#count = createCount(COUNTS.filter((count) => count <= server.limits.pictures));
    this.#startSection = new Section(
      { title: "Start from a picture", about: "Vary a picture, or change only a part of it." },
      this.#start.element,
      () => this.#start.values,
    );
    this.#detailsSection = new Section(
      { title: "Details", about: "Size, steps, seed and more. You need none of it." },
      h("div", {}, this.#negative?.element ?? "", this.#details.element),
      () => [...this.#negativeValues, ...this.#details.values],
    );
    this.panel = h("aside", { class: "panel", "aria-label": "Options" }, this.#count);
    this.panel.append(...this.#sections.map(({ element }) => element));
    this.#detailsSection.element.addEventListener("input", () => this.#resize());
    this.bar.element.addEventListener("input", () => this.#inputs.resize());
    this.panel.addEventListener("mention", (event) => this.bar.insert((event as CustomEvent<string>).detail));
    this.panel.addEventListener("input", () => {
      this.bar.error = ""; // it was about what has changed now
      this.bar.suggest(false);
      this.bar.inUse.uses = this.#sections.flatMap(({ uses }) => uses);
    });
  }

  /** Follow the size of the pictures that are made. */
  #resize(): void {
    this.#inputs.resize();
    void this.#start.resize();
  }

  /** All sections: those of the model's own inputs, then those of adapters. */
  get #sections(): Section[] {
    const all = [...this.#inputs.sections];
    const isAdapter = (name: string): boolean => this.#model.adapters.includes(name);
    const own = all.filter(([name]) => !isAdapter(name)).map(([, section]) => section);
    const added = all.filter(([name]) => isAdapter(name)).map(([, section]) => section);
    return [...own, this.#startSection, ...added, this.#detailsSection];
  }

  #createNegative(host: Host): Field | undefined {
    const input = this.#prompt && this.#model.inputs[this.#prompt];
    if (!input) return undefined;
    const [schema] = Object.values(resolve(input).properties ?? {});
    const texts = { label: LEAVE_OUT, hint: "What the picture should not show." };
    return createField("negative", schema ?? {}, host, texts);
  }

  get #negativeValues(): Value[] {
    const { element, widget } = this.#negative ?? {};
    if (!element || widget?.value === undefined) return [];
    const clear = (): void => {
      widget.value = undefined;
    };
    return [{ text: `Leaves out “${widget.value}”`, place: element, clear }];
  }

  /** The name of its model. */
  get model(): string {
    return this.#model.name;
  }

  /** The picture in sight. */
  set shown(picture: Shown | undefined) {
    this.#shown = picture;
    this.#inputs.resize();
  }

  /** Return what the picture in sight drew for a slot, if it was made of the prompt as it is. */
  #nameOf(slot: string): string | undefined {
    const { request, drew = [] } = this.#shown ?? {};
    const text = promptText(request?.inputs[this.#prompt ?? ""], this.#model);
    const name = withNames(slot, drew);
    const isOfPrompt = [text, withNames(text, drew)].includes(this.bar.prompt);
    return isOfPrompt && name !== slot ? name : undefined;
  }

  /** Return what the form calls a field of the request, such as "semantic_map" or "negative prompt". */
  titleOf(field: string): string {
    return field.startsWith("negative ") ? LEAVE_OUT : titleOf(this.#model, field);
  }

  /** The request that has been entered. */
  get request(): PictureRequest {
    const { prompt, negative, inputs, scales, start, details, count } = this.values;
    if (this.#prompt && prompt) inputs[this.#prompt] = prompt;
    return {
      model: this.#model.name,
      inputs,
      ...(this.#prompt && negative !== undefined && { negative: { [this.#prompt]: negative } }),
      ...(Object.keys(scales).length > 0 && { adapter_scales: scales }),
      n: count,
      ...details,
      ...("init_image" in start && { size: this.#details.get("size") as [number, number] }),
      ...start,
    };
  }

  /** Show the request of one picture, which has inputs of one row. */
  set request(request: PictureRequest) {
    this.values = readRequest(request, this.#model);
  }

  /** What all of its parts show. */
  get values(): FormValues {
    return {
      prompt: this.bar.prompt,
      negative: this.#negative?.widget.value,
      inputs: this.#inputs.value,
      scales: this.#inputs.scales,
      start: this.#start.value,
      details: this.#details.value,
      count: readCount(this.#count),
    };
  }

  set values(values: FormValues) {
    if (this.#prompt) this.bar.prompt = values.prompt;
    if (this.#negative) this.#negative.widget.value = values.negative;
    this.#details.value = values.details;
    this.#detailsSection.refresh();
    this.#inputs.value = values.inputs;
    this.#inputs.scales = values.scales;
    this.#start.value = values.start;
    writeCount(this.#count, values.count);
    this.#startSection.refresh();
  }

  /** Put the prompt of a request into the form, with the names of what the picture drew. */
  usePrompt(request: PictureRequest, drew: Drew[]): void {
    const text = promptText(request.inputs[this.#prompt ?? ""], this.#model);
    if (text) this.bar.prompt = drew.some(({ name }) => name === null) ? text : withNames(text, drew);
  }

  /**
   * Let a picture that starts from another one show the same things. All of it: they stay where they
   * are. A part: what is named goes there, so nothing else is named.
   */
  useReferences(request: PictureRequest, drew: Drew[], extent: Extent): void {
    const name = referencesOf(this.#model);
    if (!name || drew.length === 0) return;
    const isPart = extent === "part";
    if (isPart) {
      this.bar.prompt = "";
      this.bar.focus();
    }
    const { pictures } = asObject(request.inputs[name], this.#model.inputs[name] ?? {});
    this.#inputs.set(name, isPart ? undefined : poseReferences(pictures, drew));
  }

  /** Take a picture to start from. New ones have a size near to `size`; by default it stays as it is. */
  startFrom(picture: string, extent: Extent, size?: [number, number]): void {
    if (size) {
      const step = this.#model.size_multiple;
      this.#details.set("size", size.map((side) => Math.max(step, Math.round(side / step) * step)));
      this.#detailsSection.refresh();
    }
    this.#start.value = { init_image: [picture] };
    this.#startSection.open();
    this.#start.change(extent);
    this.#startSection.refresh();
  }

  /** Return whether the request can be sent; else show what is wrong. */
  check(): boolean {
    this.bar.error = "";
    this.bar.suggest(this.#isEmpty);
    for (const part of [this.bar.element, this.panel]) unmarkFields(part);
    const found = findInvalid(this.panel);
    if (found) {
      this.bar.error = `${labelOf(found.field)}: ${found.control.validationMessage}`;
      markField(found.field, [found.control]);
    } else if (this.#start.lacksMask) {
      this.bar.error = "Nothing is painted. Paint over what should change, or vary all of it.";
      this.#startSection.element.open = true;
      this.#start.change("part");
    } else return true;
    return false;
  }

  /** Whether nothing says what the picture should show. */
  get #isEmpty(): boolean {
    const { prompt, inputs, start } = this.values;
    return this.#prompt !== undefined && !prompt && [inputs, start].every((each) => Object.keys(each).length === 0);
  }

  /** Show why a request was refused, and the field at fault. */
  fail(error: unknown): void {
    this.bar.error = this.explain(error);
    const field = this.#fieldOf(error);
    if (field) markField(field);
  }

  /** Return what an error says, with the label of the field at fault. */
  explain(error: unknown): string {
    const field = this.#fieldOf(error);
    const reason = error instanceof ApiError && error.reason;
    return field && reason ? `${labelOf(field)}: ${reason}` : messageOf(error);
  }

  #fieldOf(error: unknown): HTMLElement | undefined {
    if (!(error instanceof ApiError && error.field)) return undefined;
    return findField(this.bar.element, error.field) ?? findField(this.panel, error.field);
  }
}

/** Return an input of references, each at the place where a picture drew it; undefined if that is not known. */
function poseReferences(pictures: unknown, drew: Drew[]): unknown {
  const boxes = drew.flatMap(({ box }) => (box ? [box] : []));
  if (boxes.length < drew.length) return undefined;
  const turns = drew.map(({ turn }) => turn ?? 0);
  const mirrored = drew.map((each) => each.mirrored ?? false);
  return { pictures: Array.isArray(pictures) ? pictures : [pictures], boxes, turns, mirrored };
}

/** Return a choice of how many pictures are made. */
function createCount(counts: number[]): HTMLElement {
  const name = newId("count");
  return h(
    "fieldset",
    { class: "count" },
    h("legend", {}, "Pictures"),
    ...counts.map((count) =>
      h("label", {}, h("input", { type: "radio", name, value: String(count), checked: count === 1 }), `${count}`),
    ),
  );
}

function readCount(element: HTMLElement): number {
  return Number(element.querySelector<HTMLInputElement>("input:checked")?.value ?? 1);
}

function writeCount(element: HTMLElement, count: number): void {
  for (const input of element.querySelectorAll("input")) input.checked = Number(input.value) === count;
}
