/** A widget with its label and its hint. */

import type { Schema } from "../api/types.ts";
import { h, humanize, newId } from "../dom.ts";
import { createWidget } from "./formats.ts";
import { hintOf } from "./schema.ts";
import type { Host, WidgetElement } from "./widget.ts";

export interface Field {
  element: HTMLElement;
  widget: WidgetElement;
}

/** Return a field. `label` replaces the humanized name. */
export function createField(
  name: string,
  schema: Schema,
  host: Host,
  texts: { label?: string; hint?: string } = {},
): Field {
  const labelId = newId("label");
  const widget = createWidget(schema, host, labelId);
  const hint = texts.hint ?? hintOf(schema);
  const element = h(
    "div",
    { class: `field field-${widget.localName}` },
    h("span", { class: "label", id: labelId }, texts.label ?? humanize(name)),
    widget,
    hint !== "" && h("small", { class: "hint" }, hint),
  );
  element.dataset.field = name;
  return { element, widget };
}
