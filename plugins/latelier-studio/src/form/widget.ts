/** The contract of a widget: a custom element that edits one value of a request. */

import type { Model, Schema } from "../api/types.ts";

/** What a widget may ask of the page. */
export interface Host {
  model: Model;
  /** Return (width, height) in pixels of the picture that will be made. */
  size(): [number, number];
  /** Return the name of the database in which the request looks up drawings; undefined: none. */
  database(): string | undefined;
  /** Return what the picture in sight drew for a slot such as "#1", if it was made of the prompt as it is. */
  nameOf(slot: string): string | undefined;
}

/**
 * A widget as the form uses it. Properties are set before it is connected; `value` also later.
 * It dispatches a bubbling `input` when the person has changed the value. `undefined` is no value.
 * A plugin's widget is such an element too: docs/studio.md.
 */
export interface WidgetElement extends HTMLElement {
  schema: Schema;
  /** The id of the element that names the widget, for `aria-labelledby`. */
  labelId: string;
  host: Host;
  value: unknown;
  /** The picture that lies under a mask. */
  picture?: string | undefined;
  /** Called when the size of the picture that will be made, or another detail, has changed. */
  resize?(): void;
}

/** What built-in widgets share. `build` makes the children once; `show` puts the value into them. */
export abstract class Widget<T> extends HTMLElement implements WidgetElement {
  schema: Schema = {};
  labelId = "";
  declare host: Host;
  protected current: T | undefined;

  get value(): T | undefined {
    return this.current;
  }

  set value(value: T | undefined) {
    this.current = value;
    if (this.hasChildNodes()) this.show();
  }

  connectedCallback(): void {
    if (this.hasChildNodes()) return;
    this.build();
    this.show();
  }

  /** Take a value that the person has entered. */
  protected change(value: T | undefined): void {
    this.current = value;
    this.dispatchEvent(new Event("input", { bubbles: true }));
  }

  protected abstract build(): void;
  protected abstract show(): void;
}
