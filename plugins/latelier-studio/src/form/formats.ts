/** Which widget edits a value: by its `format`, else by its type. */

import type { Schema } from "../api/types.ts";
import { hasReferences, isListOfBoxes } from "./schema.ts";
import type { WidgetElement } from "./widget.ts";

const tags = new Map<string, string>();

/** Let the element `tag` edit values of a `format`. */
export function registerFormat(format: string, tag: string): void {
  tags.set(format, tag);
}

/** Return whether some element edits values of a `format`. */
export function hasFormat(format: string | undefined): boolean {
  return format !== undefined && tags.has(format);
}

const LONG_TEXT = 200;
const MANY_CHOICES = 24;

function tagOf(schema: Schema): string {
  const byFormat = schema.format && tags.get(schema.format);
  if (byFormat) return byFormat;
  if (schema.enum) return schema.enum.length > MANY_CHOICES ? "studio-search" : "studio-choice";
  switch (schema.type) {
    case "string":
      return (schema.maxLength ?? 0) > LONG_TEXT ? "studio-prompt" : "studio-text";
    case "integer":
    case "number":
      return "studio-number";
    case "boolean":
      return "studio-toggle";
    case "array":
      if (isListOfBoxes(schema)) return "studio-layout";
      return schema.items?.type || schema.items?.format ? "studio-list" : "studio-json";
    case "object":
      if (hasReferences(schema)) return "studio-references";
      return schema.properties ? "studio-object" : "studio-json";
    default:
      return "studio-json";
  }
}

/** Return a new widget for a schema, which `resolve` has read. */
export function createWidget(
  schema: Schema,
  host: WidgetElement["host"],
  labelId: string,
): WidgetElement {
  const widget = document.createElement(tagOf(schema)) as WidgetElement;
  Object.assign(widget, { schema, host, labelId });
  return widget;
}
