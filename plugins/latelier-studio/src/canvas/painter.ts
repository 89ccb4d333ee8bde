/** A surface to paint labels on, over a picture, with its tools. Used by masks and maps. */

import { h } from "../dom.ts";
import { type IconName, icon } from "../icons.ts";
import { Brush } from "./brush.ts";
import { type Area, Painting, type Point } from "./painting.ts";
import { ZoomView } from "./zoom.ts";

/** Red, green, blue and opacity, 0 to 255. */
export type Color = readonly [number, number, number, number];

export interface PainterOptions {
  width: number;
  height: number;
  /** What screen readers call the surface. */
  name: string;
  /** What stands on the surface until something is painted. */
  hint: string;
  /** Of each label from 0. */
  colors: readonly Color[];
  /** Label of the brush at first. */
  brush: number;
  /** Whether there is a tool that exchanges the labels 0 and 1. */
  canInvert: boolean;
  onChange: () => void;
}

type Tool = "brush" | "eraser" | "bucket";

export class Painter {
  readonly element: HTMLElement;
  readonly painting: Painting;
  readonly #options: PainterOptions;
  readonly #colors: Uint32Array;
  readonly #canvas: HTMLCanvasElement;
  readonly #brush: Brush;
  readonly #view: ZoomView;
  readonly #sheet: HTMLElement;
  readonly #buttons: Record<"undo" | "redo" | "eraser" | "bucket", HTMLButtonElement>;
  #label: number;
  #tool: Tool = "brush";
  #isPainting = false;

  constructor(options: PainterOptions) {
    this.#options = options;
    this.#label = options.brush;
    const { width, height } = options;
    this.#colors = new Uint32Array(Uint8Array.from(options.colors.flat()).buffer);
    this.painting = new Painting(width, height);
    this.#brush = new Brush(width, height);
    this.#canvas = h("canvas", {
      width,
      height,
      tabIndex: 0,
      role: "application",
      "aria-label":
        `${options.name}. Arrow keys move the brush, space paints, E erases, F fills areas, ` +
        "square brackets change its size, Control Z undoes.",
    });
    const hint = h("p", { class: "sheet-hint" }, h("span", {}, options.hint));
    this.#sheet = h("div", { class: "sheet" }, this.#canvas, hint, this.#brush.cursor);
    this.#sheet.style.aspectRatio = `${width} / ${height}`;
    this.#view = new ZoomView(this.#sheet);
    this.#buttons = {
      undo: this.#button("undo", "Undo", () => this.#step("undo")),
      redo: this.#button("redo", "Redo", () => this.#step("redo")),
      eraser: this.#button("eraser", "Eraser", () => this.#toggle("eraser")),
      bucket: this.#button("bucket", "Fill an area", () => this.#toggle("bucket")),
    };
    this.element = h(
      "div",
      { class: "painter" },
      this.#view.element,
      h(
        "div",
        { class: "tools" },
        this.#brush.control,
        h(
          "div",
          { class: "tool-row", role: "group", "aria-label": "Tools" },
          this.#buttons.eraser,
          this.#buttons.bucket,
          this.#buttons.undo,
          this.#buttons.redo,
          options.canInvert && this.#button("invert", "Invert", () => this.#apply({ kind: "invert" })),
          this.#button("trash", "Clear", () => this.#apply({ kind: "fill", label: 0 })),
          this.#button("zoomOut", "Zoom out", () => this.#zoomBy(-1)),
          this.#button("zoomIn", "Zoom in", () => this.#zoomBy(1)),
        ),
      ),
    );
    this.#listen();
    this.#choose("brush");
    this.draw();
  }

  /** Show a picture under the painting; undefined shows none. */
  set backdrop(source: string | undefined) {
    this.#sheet.style.backgroundImage = source ? `url("${source}")` : "";
  }

  /** Paint with a label. */
  use(label: number): void {
    this.#label = label;
    if (this.#tool === "eraser") this.#choose("brush");
  }

  #choose(tool: Tool): void {
    this.#tool = tool;
    for (const name of ["eraser", "bucket"] as const) {
      this.#buttons[name].setAttribute("aria-pressed", String(name === tool));
    }
    this.#sheet.classList.toggle("is-filling", tool === "bucket");
  }

  /** Take a tool, or the brush again. */
  #toggle(tool: Tool): void {
    this.#choose(this.#tool === tool ? "brush" : tool);
  }

  /** Show the painting as it is. */
  draw(): void {
    const area = this.painting.takeChanged();
    if (area) this.#drawArea(area);
    this.#sheet.classList.toggle("is-empty", !this.painting.canUndo);
    this.#buttons.undo.disabled = !this.painting.canUndo;
    this.#buttons.redo.disabled = !this.painting.canRedo;
  }

  #drawArea([left, top, right, bottom]: Area): void {
    const { width, labels } = this.painting;
    const image = new ImageData(right - left, bottom - top);
    const pixels = new Uint32Array(image.data.buffer); // one write a pixel: pictures are large
    let index = 0;
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        pixels[index++] = this.#colors[labels[y * width + x] ?? 0] ?? 0;
      }
    }
    this.#canvas.getContext("2d")?.putImageData(image, left, top);
  }

  #button(name: IconName, label: string, action: () => void): HTMLButtonElement {
    const props = { type: "button", class: "icon-button", title: label, "aria-label": label };
    return h("button", { ...props, onClick: action }, icon(name));
  }

  #apply(operation: { kind: "invert" } | { kind: "fill"; label: number }): void {
    this.painting.apply(operation);
    this.#changed();
  }

  #step(direction: "undo" | "redo"): void {
    this.painting[direction]();
    this.#changed();
  }

  #changed(): void {
    this.draw();
    this.#options.onChange();
  }

  #zoomBy(step: 1 | -1): void {
    const [x, y] = this.#brush.place;
    this.#view.zoomBy(step, [x / this.painting.width, y / this.painting.height]);
    this.#brush.moveTo([x, y]);
  }

  #begin(point: Point): void {
    const label = this.#tool === "eraser" ? 0 : this.#label;
    if (this.#tool === "bucket") this.painting.apply({ kind: "flood", label, point });
    else this.painting.apply({ kind: "stroke", label, size: this.#brush.size, points: [point] });
    this.draw();
  }

  #listen(): void {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.#isPainting = true;
      this.#begin(this.#pointOf(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      for (const each of event.getCoalescedEvents?.() ?? [event]) {
        if (this.#isPainting) this.painting.extend(this.#pointOf(each));
      }
      if (this.#isPainting) this.draw();
      this.#brush.moveTo(this.#pointOf(event));
    });
    canvas.addEventListener("pointerup", () => {
      if (!this.#isPainting) return;
      this.#isPainting = false;
      this.#changed();
    });
    canvas.addEventListener("pointercancel", () => {
      if (!this.#isPainting) return;
      this.#isPainting = false;
      this.painting.discard();
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => this.#brush.hide());
    canvas.addEventListener("focus", () => this.#brush.moveTo(this.#brush.place));
    canvas.addEventListener("blur", () => this.#brush.hide());
    canvas.addEventListener("keydown", (event) => {
      if (this.#pressKey(event)) event.preventDefault();
    });
  }

  /** Return whether a key does something here. */
  #pressKey(event: KeyboardEvent): boolean {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const hasControl = event.ctrlKey || event.metaKey;
    if (hasControl && key === "z") this.#step(event.shiftKey ? "redo" : "undo");
    else if (hasControl && key === "y") this.#step("redo");
    else if (hasControl || event.altKey) return false;
    else if (key === "e") this.#toggle("eraser");
    else if (key === "f") this.#toggle("bucket");
    else if (key === "[" || key === "]") this.#brush.changeSize(key === "]" ? 1 : -1);
    else if (key === "+" || key === "-") this.#zoomBy(key === "+" ? 1 : -1);
    else if (key === " ") {
      this.#begin(this.#brush.place);
      this.#changed();
    } else if (ARROWS[key]) this.#brush.moveBy(ARROWS[key], event.shiftKey);
    else return false;
    return true;
  }

  #pointOf(event: PointerEvent): Point {
    const rect = this.#canvas.getBoundingClientRect();
    return [
      ((event.clientX - rect.left) / rect.width) * this.painting.width,
      ((event.clientY - rect.top) / rect.height) * this.painting.height,
    ];
  }
}

const ARROWS: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
