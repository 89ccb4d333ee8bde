/** Widgets of values with parts: objects and lists. */

import { h, newId } from "../dom.ts";
import { icon } from "../icons.ts";
import { createField } from "./field.ts";
import { createWidget } from "./formats.ts";
import { asObject, hintOf, isComplete, resolve } from "./schema.ts";
import { Widget, type WidgetElement } from "./widget.ts";

/** An object of several fields; one of a single field looks like that field. */
class ObjectWidget extends Widget<unknown> {
  #widgets = new Map<string, WidgetElement>();

  protected build(): void {
    const fields = Object.entries(this.schema.properties ?? {});
    const required = new Set(this.schema.required ?? []);
    const more: HTMLElement[] = [];
    for (const [name, raw] of fields) {
      const schema = resolve(raw, this.schema.$defs);
      const isBare = required.size === 1 && required.has(name);
      if (isBare) {
        const widget = createWidget(schema, this.host, this.labelId);
        this.#widgets.set(name, widget);
        this.append(widget);
      } else {
        const { element, widget } = createField(name, schema, this.host);
        this.#widgets.set(name, widget);
        if (required.has(name)) this.append(element);
        else more.push(element);
      }
    }
    if (more.length > 0) {
      this.append(h("details", { class: "more" }, h("summary", {}, "More"), ...more));
    }
    this.addEventListener("input", (event) => {
      if (event.target === this) return;
      event.stopPropagation();
      this.#read();
    });
    this.addEventListener("picture", (event) => {
      if (!this.#image) return;
      this.#image.value = (event as CustomEvent<string>).detail;
      this.#read();
    });
  }

  #read(): void {
    this.#layPictures(this.#image?.value);
    const value: Record<string, unknown> = {};
    for (const [name, widget] of this.#widgets) {
      if (widget.value !== undefined) value[name] = widget.value;
    }
    const isEmpty = Object.keys(value).length === 0;
    this.change(isEmpty || !isComplete(value, this.schema) ? undefined : value);
  }

  protected show(): void {
    const value = asObject(this.current, this.schema);
    const image = [...this.#widgets].find(([, widget]) => widget === this.#image)?.[0];
    this.#layPictures(image && value[image]);
    for (const [name, widget] of this.#widgets) widget.value = value[name] ?? undefined;
  }

  get #image(): WidgetElement | undefined {
    return [...this.#widgets.values()].find(({ schema }) => schema.format === "image");
  }

  /** Show the picture of an object under the mask of the same object. */
  #layPictures(picture: unknown): void {
    for (const widget of this.#widgets.values()) {
      if ("picture" in widget) widget.picture = picture as string | undefined;
    }
  }

  resize(): void {
    for (const widget of this.#widgets.values()) widget.resize?.();
  }
}

/** A list of values of one kind. */
class ListWidget extends Widget<unknown[]> {
  #rows!: HTMLElement;

  protected build(): void {
    this.#rows = h("div", { class: "rows", role: "group", "aria-labelledby": this.labelId });
    const add = h(
      "button",
      { type: "button", class: "quiet", onClick: () => this.#addRow(undefined) },
      icon("plus"),
      "Add",
    );
    this.append(this.#rows, add);
    this.addEventListener("input", (event) => {
      if (event.target === this) return;
      event.stopPropagation();
      this.#read();
    });
  }

  #addRow(value: unknown): void {
    const schema = resolve(this.schema.items ?? {}, this.schema.$defs);
    const labelId = newId("label");
    const name = h("span", { id: labelId, hidden: true }, `Entry ${this.#rows.children.length + 1}`);
    const widget = createWidget(schema, this.host, labelId);
    widget.value = value;
    const remove = h("button", { type: "button", class: "icon-button", "aria-label": "Remove" });
    remove.append(icon("close"));
    const row = h("div", { class: "row" }, name, widget, remove);
    remove.addEventListener("click", () => {
      row.remove();
      this.#read();
    });
    this.#rows.append(row);
  }

  #read(): void {
    const widgets = [...this.#rows.children].map((row) => row.children[1] as WidgetElement);
    const values = widgets.map((each) => each.value).filter((each) => each !== undefined);
    this.change(values.length > 0 ? values : undefined);
  }

  protected show(): void {
    this.#rows.replaceChildren();
    for (const value of this.current ?? []) this.#addRow(value);
  }
}

/** The options of a sampler or a guidance rule. */
class OptionsWidget extends Widget<Record<string, unknown>> {
  /** Number of options in sight; others are folded away. */
  shown = 0;
  /** A text about them all, folded away too. */
  about = "";
  #widgets = new Map<string, WidgetElement>();

  protected build(): void {
    const folded = h("details", { class: "more" }, h("summary", {}, "More"));
    if (this.about) folded.append(h("small", { class: "hint" }, this.about));
    for (const [name, raw] of Object.entries(this.schema.properties ?? {})) {
      const schema = resolve(raw, this.schema.$defs);
      const { element, widget } = createField(name, schema, this.host, { hint: hintOf(schema) });
      this.#widgets.set(name, widget);
      (this.#widgets.size > this.shown ? folded : this).append(element);
    }
    folded.hidden = this.about === "" && this.#widgets.size <= this.shown;
    this.append(folded);
    this.addEventListener("input", (event) => {
      if (event.target === this) return;
      event.stopPropagation();
      const given = [...this.#widgets].filter(([, widget]) => widget.value !== undefined);
      this.change(Object.fromEntries(given.map(([name, widget]) => [name, widget.value])));
    });
  }

  protected show(): void {
    for (const [name, widget] of this.#widgets) widget.value = this.current?.[name];
  }
}

customElements.define("studio-object", ObjectWidget);
customElements.define("studio-list", ListWidget);
customElements.define("studio-options", OptionsWidget);

