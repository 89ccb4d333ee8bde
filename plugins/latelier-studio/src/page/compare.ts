/** A table of pictures that differ in one or two settings. */

import { ApiError, api, follow } from "../api/client.ts";
import type { Job, Model, NamedOptions, PictureRequest } from "../api/types.ts";
import { h, humanize } from "../dom.ts";
import { bareName } from "../form/named.ts";
import { icon } from "../icons.ts";
import { imageOf, ofJob, type Shown } from "./pictures.ts";

type Axis = "sampler" | "steps" | "guidance" | "seed" | "nothing";
const AXES: Axis[] = ["seed", "steps", "guidance", "sampler"];

const MOST_PICTURES = 64;
const AT_A_TIME = 4;

interface Events {
  view(pictures: Shown[], index: number): void;
  galleryChanged(): void;
  /** Return what the form says of an error. */
  explain(error: unknown): string;
}

export class Compare {
  readonly element: HTMLDialogElement;
  readonly #result = h("div", { class: "compare-result" });
  readonly #error = h("p", { class: "error", role: "alert" });
  readonly #columns: AxisField;
  readonly #rows: AxisField;
  readonly #events: Events;
  #request: PictureRequest = { inputs: {} };
  #jobs = new Set<string>();

  constructor(model: Model, events: Events) {
    this.#events = events;
    this.#columns = new AxisField("Across", model, AXES, "steps");
    this.#rows = new AxisField("Down", model, [...AXES, "nothing"], "guidance");
    const close = h("button", { type: "button", class: "icon-button close", "aria-label": "Close" });
    close.append(icon("close"));
    close.addEventListener("click", () => this.element.close());
    const form = h(
      "form",
      {
        onSubmit: (event: Event) => {
          event.preventDefault();
          void this.#run();
        },
      },
      h("div", { class: "axes" }, this.#columns.element, this.#rows.element),
      h("button", { type: "submit", class: "primary" }, "Compare"),
      this.#error,
    );
    this.element = h(
      "dialog",
      { class: "compare", "aria-labelledby": "compare-title" },
      close,
      h("h2", { id: "compare-title" }, "Compare"),
      h("p", {}, "The picture of the form again and again, with one or two settings changed."),
      form,
      this.#result,
    );
    this.element.addEventListener("close", () => this.#cancel());
  }

  open(request: PictureRequest): void {
    const seed = request.seed ?? Math.floor(Math.random() * 2 ** 31);
    this.#request = { ...request, n: 1, seed };
    for (const axis of [this.#columns, this.#rows]) axis.sampler = request.sampler?.name;
    this.element.showModal();
  }

  #cancel(): void {
    for (const id of this.#jobs) void api.cancel(id);
    this.#jobs.clear();
  }

  async #run(): Promise<void> {
    this.#cancel();
    this.#error.textContent = "";
    const [columns, rows] = [this.#columns.values, this.#rows.values];
    if (this.#columns.axis === this.#rows.axis) {
      this.#error.textContent = "Choose two different settings.";
    } else if (columns.length === 0 || rows.length === 0) {
      this.#error.textContent = "Give at least one value for each.";
    } else if (columns.length * rows.length > MOST_PICTURES) {
      this.#error.textContent = `At most ${MOST_PICTURES} pictures fit into a table.`;
    } else await this.#fill(columns, rows);
  }

  async #fill(columns: Value[], rows: Value[]): Promise<void> {
    const shown: Shown[] = [];
    const tasks: (() => Promise<void>)[] = [];
    const head = h("tr", {}, h("td"), ...columns.map(({ text }) => h("th", { scope: "col" }, text)));
    const body = rows.map((row) =>
      h(
        "tr",
        {},
        row.text ? h("th", { scope: "row" }, row.text) : h("td"),
        ...columns.map((column) => {
          const cell = h("td", { class: "waiting" });
          const request = { ...this.#request, ...column.fields, ...row.fields };
          const name = [column.text, row.text].filter(Boolean).join(", ");
          tasks.push(() => this.#make(request, cell, name, shown));
          return cell;
        }),
      ),
    );
    const table = h("table", {}, h("thead", {}, head), h("tbody", {}, ...body));
    this.#result.replaceChildren(h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Pictures" }, table));
    const workers = Array.from({ length: AT_A_TIME }, async () => {
      for (let task = tasks.shift(); task && table.isConnected; task = tasks.shift()) await task();
    });
    await Promise.all(workers);
    this.#events.galleryChanged();
  }

  /** Make the picture of a cell. */
  async #make(request: PictureRequest, cell: HTMLElement, name: string, shown: Shown[]): Promise<void> {
    try {
      if (!this.element.open) return;
      const job = await api.submit(request);
      this.#jobs.add(job.id);
      if (!this.element.open) this.#cancel();
      const done = await follow(job, undefined, (preview) => {
        cell.replaceChildren(h("img", { src: preview.image, alt: "" }));
      });
      this.#jobs.delete(job.id);
      this.#show(done, request, cell, name, shown);
    } catch (error) {
      cell.replaceChildren(h("small", {}, this.#events.explain(error)));
    }
    cell.classList.remove("waiting");
  }

  #show(job: Job, request: PictureRequest, cell: HTMLElement, name: string, shown: Shown[]): void {
    const [picture] = ofJob(job, request);
    if (!picture) {
      const text = job.error ? this.#events.explain(ApiError.of(job.error)) : "Cancelled.";
      cell.replaceChildren(h("small", {}, text));
      return;
    }
    const index = shown.push(picture) - 1;
    const open = (): void => this.#events.view(shown, index);
    const button = { type: "button", "aria-label": name, onClick: open };
    cell.replaceChildren(h("button", button, imageOf(picture, { alt: "" })));
  }
}

interface Value {
  text: string;
  fields: Partial<PictureRequest>;
}

/** The numbers that a setting takes at first. */
const NUMBERS: Partial<Record<Axis, string>> = { seed: "1, 2, 3", steps: "5, 10, 20", guidance: "1, 3, 6" };

/** A setting and the values that it takes. */
class AxisField {
  readonly element: HTMLElement;
  readonly #select: HTMLSelectElement;
  readonly #text: HTMLInputElement;
  readonly #samplers: HTMLElement;
  readonly #model: Model;

  constructor(title: string, model: Model, axes: Axis[], axis: Axis) {
    this.#model = model;
    this.#text = h("input", { type: "text", "aria-label": `${title}: values`, inputMode: "decimal" });
    this.#samplers = h(
      "div",
      { class: "samplers", role: "group", "aria-label": `${title}: samplers` },
      ...model.samplers.map(({ name }) => h("label", {}, h("input", { type: "checkbox", value: name }), name)),
    );
    this.#select = h(
      "select",
      { "aria-label": title, onInput: () => this.#show() },
      ...axes.map((each) => h("option", { value: each }, humanize(each))),
    );
    this.#select.value = axis;
    this.element = h("fieldset", {}, h("legend", {}, title), this.#select, this.#text, this.#samplers);
    this.#show();
  }

  get axis(): Axis {
    return this.#select.value as Axis;
  }

  #show(): void {
    const numbers = NUMBERS[this.axis];
    this.#text.hidden = numbers === undefined;
    this.#text.value = numbers ?? "";
    this.#samplers.hidden = this.axis !== "sampler";
  }

  get #boxes(): HTMLInputElement[] {
    return [...this.#samplers.querySelectorAll("input")];
  }

  /** Tick the sampler of the form alone; undefined is the model's. */
  set sampler(name: string | undefined) {
    const standard = this.#model.request.properties?.sampler?.default as NamedOptions | undefined;
    const current = bareName(name ?? standard?.name ?? "");
    for (const box of this.#boxes) box.checked = box.value === current;
  }

  get values(): Value[] {
    const { axis } = this;
    if (axis === "nothing") return [{ text: "", fields: {} }];
    if (axis === "sampler") {
      const ticked = this.#boxes.filter(({ checked }) => checked);
      return ticked.map(({ value: name }) => ({
        text: name,
        fields: { sampler: { name, options: {} } },
      }));
    }
    const numbers = this.#text.value.split(/[\s,;]+/).filter(Boolean).map(Number);
    return numbers.filter(Number.isFinite).map((number) => ({
      text: `${humanize(axis)} ${number}`,
      fields: axis === "guidance" ? { guidance: this.#guidance(number) } : { [axis]: number },
    }));
  }

  #guidance(scale: number): NonNullable<PictureRequest["guidance"]> {
    const standard = this.#model.request.properties?.guidance?.default as PictureRequest["guidance"];
    const name = standard?.name ?? "cfg";
    return { name, options: { ...standard?.options, scale } };
  }
}
