/** A surface to paint labels on, over a picture, with its tools. Used by masks and maps. */

import { h, newId } from "../dom.ts";
import { type IconName, icon } from "../icons.ts";
import { Painting, type Point } from "./painting.ts";
import { ZoomView } from "./zoom.ts";

export interface PainterOptions {
  width: number;
  height: number;
  /** What screen readers call the surface. */
  name: string;
  /** Red, green, blue and opacity, 0 to 255, of each label from 0. */
  colors: readonly (readonly [number, number, number, number])[];
  /** Label of the brush at first. */
  brush: number;
  /** Whether there is a tool that exchanges the labels 0 and 1. */
  canInvert: boolean;
  onChange: () => void;
}

const FIRST_SIZE = 0.12; // of the shorter side

export class Painter {
  readonly element: HTMLElement;
  readonly painting: Painting;
  readonly #options: PainterOptions;
  readonly #colors: Uint32Array;
  readonly #canvas: HTMLCanvasElement;
  readonly #cursor: HTMLElement;
  readonly #view: ZoomView;
  readonly #sheet: HTMLElement;
  readonly #size: HTMLInputElement;
  readonly #buttons: Record<"undo" | "redo" | "eraser", HTMLButtonElement>;
  #label: number;
  #isErasing = false;
  #isPainting = false;
  #place: Point;

  constructor(options: PainterOptions) {
    this.#options = options;
    this.#label = options.brush;
    const { width, height } = options;
    this.#colors = new Uint32Array(Uint8Array.from(options.colors.flat()).buffer);
    this.painting = new Painting(width, height);
    this.#place = [width / 2, height / 2];
    this.#canvas = h("canvas", {
      width,
      height,
      tabIndex: 0,
      role: "application",
      "aria-label":
        `${options.name}. Arrow keys move the brush, space paints, E erases, ` +
        "square brackets change its size, Control Z undoes.",
    });
    this.#cursor = h("div", { class: "brush-cursor", hidden: true });
    this.#sheet = h("div", { class: "sheet" }, this.#canvas, this.#cursor);
    this.#sheet.style.aspectRatio = `${width} / ${height}`;
    this.#view = new ZoomView(this.#sheet);
    const side = Math.min(width, height);
    const sizeId = newId("size");
    this.#size = h("input", {
      type: "range",
      id: sizeId,
      min: 1,
      max: Math.max(2, Math.round(side / 2)),
      value: String(Math.max(2, Math.round(side * FIRST_SIZE))),
      onInput: (event: Event) => {
        event.stopPropagation();
        this.#moveCursor(this.#place);
      },
    });
    this.#buttons = {
      undo: this.#tool("undo", "Undo", () => this.#step("undo")),
      redo: this.#tool("redo", "Redo", () => this.#step("redo")),
      eraser: this.#tool("eraser", "Eraser", () => this.erase(!this.#isErasing)),
    };
    this.element = h(
      "div",
      { class: "painter" },
      this.#view.element,
      h(
        "div",
        { class: "tools" },
        h("label", { class: "brush-size", htmlFor: sizeId }, icon("brush"), "Size", this.#size),
        h(
          "div",
          { class: "tool-row", role: "group", "aria-label": "Tools" },
          this.#buttons.eraser,
          this.#buttons.undo,
          this.#buttons.redo,
          options.canInvert && this.#tool("invert", "Invert", () => this.#apply({ kind: "invert" })),
          this.#tool("trash", "Clear", () => this.#apply({ kind: "fill", label: 0 })),
          this.#tool("zoomOut", "Zoom out", () => this.#zoomBy(-1)),
          this.#tool("zoomIn", "Zoom in", () => this.#zoomBy(1)),
        ),
      ),
    );
    this.#listen();
    this.draw();
  }

  /** Show a picture under the painting; undefined shows none. */
  set backdrop(source: string | undefined) {
    this.#sheet.style.backgroundImage = source ? `url("${source}")` : "";
  }

  /** Paint with a label. */
  use(label: number): void {
    this.#label = label;
    this.erase(false);
  }

  erase(isErasing: boolean): void {
    this.#isErasing = isErasing;
    this.#buttons.eraser.setAttribute("aria-pressed", String(isErasing));
  }

  /** Show the painting as it is. */
  draw(): void {
    const { width, height, labels } = this.painting;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer); // one write a pixel: pictures are large
    for (let index = 0; index < labels.length; index++) {
      pixels[index] = this.#colors[labels[index] ?? 0] ?? 0;
    }
    this.#canvas.getContext("2d")?.putImageData(image, 0, 0);
    this.#buttons.undo.disabled = !this.painting.canUndo;
    this.#buttons.redo.disabled = !this.painting.canRedo;
    if (!this.#buttons.eraser.hasAttribute("aria-pressed")) this.erase(false);
  }

  #tool(name: IconName, label: string, action: () => void): HTMLButtonElement {
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
    const [x, y] = this.#place;
    this.#view.zoomBy(step, [x / this.painting.width, y / this.painting.height]);
    this.#moveCursor(this.#place);
  }

  #begin(point: Point): void {
    const label = this.#isErasing ? 0 : this.#label;
    const size = this.#size.valueAsNumber;
    this.painting.apply({ kind: "stroke", label, size, points: [point] });
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
      this.#moveCursor(this.#pointOf(event));
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
    canvas.addEventListener("pointerleave", () => {
      this.#cursor.hidden = true;
    });
    canvas.addEventListener("focus", () => this.#moveCursor(this.#place));
    canvas.addEventListener("blur", () => {
      this.#cursor.hidden = true;
    });
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
    else if (key === "e") this.erase(!this.#isErasing);
    else if (key === "[" || key === "]") this.#changeSize(key === "]" ? 1 : -1);
    else if (key === "+" || key === "-") this.#zoomBy(key === "+" ? 1 : -1);
    else if (key === " ") {
      this.#begin(this.#place);
      this.#changed();
    } else if (ARROWS[key]) this.#moveBy(ARROWS[key], event.shiftKey);
    else return false;
    return true;
  }

  #changeSize(step: number): void {
    if (step > 0) this.#size.stepUp();
    else this.#size.stepDown();
    this.#moveCursor(this.#place);
  }

  #moveBy([dx, dy]: Point, isFine: boolean): void {
    const { width, height } = this.painting;
    const step = isFine ? 1 : Math.max(1, this.#size.valueAsNumber / 2);
    const x = Math.min(width, Math.max(0, this.#place[0] + dx * step));
    const y = Math.min(height, Math.max(0, this.#place[1] + dy * step));
    this.#moveCursor([x, y]);
  }

  #pointOf(event: PointerEvent): Point {
    const rect = this.#canvas.getBoundingClientRect();
    return [
      ((event.clientX - rect.left) / rect.width) * this.painting.width,
      ((event.clientY - rect.top) / rect.height) * this.painting.height,
    ];
  }

  #moveCursor(place: Point): void {
    this.#place = place;
    const { width, height } = this.painting;
    const { style } = this.#cursor;
    const size = Math.max(1, this.#size.valueAsNumber);
    this.#cursor.hidden = false;
    style.left = `${(place[0] / width) * 100}%`;
    style.top = `${(place[1] / height) * 100}%`;
    style.width = `${(size / width) * 100}%`;
    style.height = `${(size / height) * 100}%`;
  }
}

const ARROWS: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
