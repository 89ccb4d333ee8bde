/** A table of pictures that differ in one or two settings. */

import { api, follow } from "../api/client.ts";
import type { Job, Model, PictureRequest } from "../api/types.ts";
import { h, humanize, newId } from "../dom.ts";
import { icon } from "../icons.ts";
import { imageOf, ofJob, type Shown } from "./pictures.ts";

type Axis = "sampler" | "steps" | "guidance" | "seed";
const AXES: Axis[] = ["seed", "steps", "guidance", "sampler"];

const MOST_PICTURES = 64;
const AT_A_TIME = 4;

interface Events {
  view(pictures: Shown[], index: number): void;
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
    this.#columns = new AxisField("Across", model, "steps");
    this.#rows = new AxisField("Down", model, "guidance");
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
    this.#request = { ...request, n: 1, seed, keep: false };
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
        h("th", { scope: "row" }, row.text),
        ...columns.map((column) => {
          const cell = h("td", { class: "waiting" });
          const request = { ...this.#request, ...column.fields, ...row.fields };
          const name = `${column.text}, ${row.text}`;
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
      cell.replaceChildren(h("small", {}, error instanceof Error ? error.message : "It did not work."));
    }
    cell.classList.remove("waiting");
  }

  #show(job: Job, request: PictureRequest, cell: HTMLElement, name: string, shown: Shown[]): void {
    const [picture] = ofJob(job, request);
    if (!picture) {
      cell.replaceChildren(h("small", {}, job.error?.message ?? "It did not work."));
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

/** A setting and the values that it takes. */
class AxisField {
  readonly element: HTMLElement;
  readonly #select: HTMLSelectElement;
  readonly #text: HTMLInputElement;
  readonly #samplers: HTMLSelectElement;
  readonly #model: Model;

  constructor(title: string, model: Model, axis: Axis) {
    this.#model = model;
    const listId = newId("values");
    this.#text = h("input", { type: "text", "aria-label": `${title}: values`, inputMode: "decimal" });
    this.#samplers = h(
      "select",
      { multiple: true, size: 5, "aria-label": `${title}: samplers`, id: listId },
      ...model.samplers.map(({ name }) => h("option", { value: name }, name)),
    );
    this.#select = h(
      "select",
      { "aria-label": title, onInput: () => this.#show() },
      ...AXES.map((each) => h("option", { value: each }, humanize(each))),
    );
    this.#select.value = axis;
    this.element = h("fieldset", {}, h("legend", {}, title), this.#select, this.#text, this.#samplers);
    this.#show();
  }

  get axis(): Axis {
    return this.#select.value as Axis;
  }

  #show(): void {
    const isSampler = this.axis === "sampler";
    this.#text.hidden = isSampler;
    this.#samplers.hidden = !isSampler;
    this.#text.value = { seed: "1, 2, 3", steps: "5, 10, 20", guidance: "1, 3, 6", sampler: "" }[this.axis];
    if (isSampler && this.#samplers.selectedOptions.length === 0) {
      for (const option of [...this.#samplers.options].slice(0, 3)) option.selected = true;
    }
  }

  get values(): Value[] {
    const { axis } = this;
    if (axis === "sampler") {
      return [...this.#samplers.selectedOptions].map(({ value: name }) => ({
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
