/** The widget of layouts: boxes drawn on the picture, each with a label. */

import type { Schema } from "../api/types.ts";
import { h, newId } from "../dom.ts";
import { createField } from "../form/field.ts";
import { createWidget } from "../form/formats.ts";
import { resolve } from "../form/schema.ts";
import { Widget, type WidgetElement } from "../form/widget.ts";
import { icon } from "../icons.ts";
import { type Box, BoxElement, boxBetween, followPointer } from "./box.ts";
import { ZoomView } from "./zoom.ts";

type Item = Record<string, unknown>;

const SLOT = /^#\d+$/;
const SLOTS = "#1 is the first thing that the prompt names, #2 the second. Give each of them a box.";

const SMALLEST = 0.02; // side of a box, 1 for the whole picture

interface Entry {
  box: BoxElement;
  row: HTMLElement;
  /** What the slot of the box stands for. */
  note: HTMLElement;
  widgets: Map<string, WidgetElement>;
}

class LayoutWidget extends Widget<Item[]> {
  #entries: Entry[] = [];
  #sheet!: HTMLElement;
  #rows!: HTMLElement;
  #add!: HTMLButtonElement;
  #boxField = "box";
  #item: Schema = {};

  protected build(): void {
    this.#item = resolve(this.schema.items ?? {}, this.schema.$defs);
    for (const [name, raw] of Object.entries(this.#item.properties ?? {})) {
      if (resolve(raw, this.#item.$defs).format === "box") this.#boxField = name;
    }
    this.#sheet = h("div", { class: "sheet boxes", role: "group", "aria-labelledby": this.labelId });
    this.#sheet.append(h("p", { class: "sheet-hint" }, "Draw a box where something should be"));
    this.#rows = h("div", { class: "rows" });
    this.#add = h(
      "button",
      { type: "button", class: "quiet", onClick: () => this.#addNew([0.25, 0.25, 0.75, 0.75]) },
      icon("plus"),
      "Add a box",
    );
    const hint = this.#slots && h("small", { class: "hint" }, SLOTS);
    this.append(new ZoomView(this.#sheet).element, this.#rows, this.#add, hint ?? "");
    this.#sheet.addEventListener("pointerdown", (event) => this.#draw(event));
    this.resize();
  }

  resize(): void {
    const [width, height] = this.host.size();
    this.#sheet.style.aspectRatio = `${width} / ${height}`;
    this.#number();
  }

  /** Draw a new box from where the pointer goes down to where it goes up. */
  #draw(event: PointerEvent): void {
    if (event.target !== this.#sheet || event.button !== 0) return;
    event.preventDefault();
    if (this.#isFull) return;
    const sheet = this.#sheet;
    const rect = sheet.getBoundingClientRect();
    const start = [event.clientX, event.clientY] as const;
    const ghost = h("div", { class: "box ghost" });
    sheet.append(ghost);
    let box: Box = [0, 0, 0, 0];
    const move = (to: PointerEvent): void => {
      box = boxBetween(start, [to.clientX, to.clientY], rect);
      BoxElement.place(ghost, box);
    };
    followPointer(sheet, event, move, (isCancelled) => {
      ghost.remove();
      const isLarge = box[2] - box[0] > SMALLEST && box[3] - box[1] > SMALLEST;
      if (isLarge && !isCancelled) this.#addNew(box);
    });
  }

  get #isFull(): boolean {
    return this.#entries.length >= (this.schema.maxItems ?? Number.POSITIVE_INFINITY);
  }

  /** The names of the field whose values are all slots of references, "#1", "#2" ..., and of the slots. */
  get #slots(): { field: string; names: string[] } | undefined {
    for (const [field, raw] of Object.entries(this.#item.properties ?? {})) {
      const names = resolve(raw, this.#item.$defs).enum ?? [];
      if (names.length > 0 && names.every((name) => SLOT.test(name))) return { field, names };
    }
    return undefined;
  }

  /** Return the first slot that no box has yet, as a part of an item. */
  get #freeSlot(): Item {
    const { field, names } = this.#slots ?? { field: "", names: [] };
    const taken = this.#entries.map(({ widgets }) => widgets.get(field)?.value);
    const free = names.find((name) => !taken.includes(name));
    return free === undefined ? {} : { [field]: free };
  }

  #addNew(box: Box): void {
    const entry = this.#addEntry({ ...this.#freeSlot, [this.#boxField]: box });
    this.#read();
    entry.row.querySelector<HTMLElement>("input, select")?.focus();
  }

  #addEntry(item: Item): Entry {
    const box = new BoxElement(
      readBox(item[this.#boxField]),
      () => this.#read(),
      () => this.#drop(entry),
    );
    const remove = h("button", { type: "button", class: "icon-button", "aria-label": "Remove the box" });
    remove.append(icon("close"));
    remove.addEventListener("click", () => this.#drop(entry));
    const row = h("div", { class: "row", role: "group" });
    const entry: Entry = { box, row, note: h("small", { class: "row-note" }), widgets: new Map() };
    this.#fillRow(entry, item);
    row.append(remove);
    row.addEventListener("focusin", () => box.highlight(true));
    row.addEventListener("focusout", () => box.highlight(false));
    row.addEventListener("input", (event) => {
      event.stopPropagation();
      this.#read();
    });
    this.#entries.push(entry);
    this.#sheet.append(box.element);
    this.#rows.append(row);
    this.#number();
    return entry;
  }

  /** Put widgets into a row: required fields in sight, others folded away. */
  #fillRow({ row, note, widgets }: Entry, item: Item): void {
    const more: HTMLElement[] = [];
    for (const [name, raw] of Object.entries(this.#item.properties ?? {})) {
      if (name === this.#boxField) continue;
      const schema = resolve(raw, this.#item.$defs);
      if (this.#item.required?.includes(name)) {
        const labelId = newId("label");
        const widget = createWidget(schema, this.host, labelId);
        widgets.set(name, widget);
        row.append(h("span", { class: "row-name", id: labelId }), widget);
      } else {
        const { element, widget } = createField(name, schema, this.host);
        widgets.set(name, widget);
        more.push(element);
      }
    }
    row.append(note);
    if (more.length > 0) {
      row.append(h("details", { class: "more" }, h("summary", {}, "More"), ...more));
    }
    for (const [name, widget] of widgets) widget.value = item[name];
  }

  #drop(entry: Entry): void {
    this.#entries = this.#entries.filter((each) => each !== entry);
    entry.box.element.remove();
    entry.row.remove();
    this.#number();
    this.#read();
    this.#add.focus();
  }

  /** Write the numbers and the labels of all boxes. */
  #number(): void {
    this.#entries.forEach(({ box, row, note, widgets }, index) => {
      const text = [...widgets.values()].map((each) => each.value).find((v) => typeof v !== "boolean");
      const label = text === undefined ? "" : String(text);
      note.textContent = (SLOT.test(label) && this.host.nameOf(label)) || "";
      if (SLOT.test(label)) box.name(label, note.textContent);
      else box.name(`${index + 1}`, label);
      row.setAttribute("aria-label", `Box ${index + 1}`);
      const name = row.querySelector(".row-name");
      if (name) name.textContent = String(index + 1);
    });
    this.#add.disabled = this.#isFull;
    this.#sheet.classList.toggle("is-empty", this.#entries.length === 0);
  }

  #read(): void {
    this.#number();
    const items = this.#entries.map(({ box, widgets }) => {
      const given = [...widgets].filter(([, widget]) => widget.value !== undefined);
      return {
        ...Object.fromEntries(given.map(([name, widget]) => [name, widget.value])),
        [this.#boxField]: box.box,
      };
    });
    this.change(items.length > 0 ? items : undefined);
  }

  protected show(): void {
    for (const { box, row } of this.#entries) {
      box.element.remove();
      row.remove();
    }
    this.#entries = [];
    for (const item of this.current ?? []) this.#addEntry(item);
    this.#number();
  }
}

/** Return a box as the API has it: a list, or an object. */
export function readBox(value: unknown): Box {
  if (Array.isArray(value)) return value as Box;
  const { x0, y0, x1, y1 } = value as Record<"x0" | "y0" | "x1" | "y1", number>;
  return [x0, y0, x1, y1];
}

customElements.define("studio-layout", LayoutWidget);
