/** A picture of labels that is painted with strokes. Undo is exact: all is painted again. */

import { flood } from "./flood.ts";

export type Point = readonly [x: number, y: number];

/** Pixels from left to right and from top to bottom, right and bottom exclusive. */
export type Area = readonly [left: number, top: number, right: number, bottom: number];

/** What has been done. Coordinates and sizes are in pixels of the picture. */
export type Operation =
  | { kind: "stroke"; label: number; size: number; points: Point[] }
  | { kind: "flood"; label: number; point: Point }
  | { kind: "fill"; label: number }
  | { kind: "invert" }
  | { kind: "load"; labels: Uint8Array };

export class Painting {
  readonly labels: Uint8Array;
  #done: Operation[] = [];
  #undone: Operation[] = [];
  #changed: Area | undefined;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.labels = new Uint8Array(width * height);
    this.#changed = [0, 0, width, height];
  }

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  /** Whether no pixel has a label other than 0. */
  get isEmpty(): boolean {
    return this.labels.every((label) => label === 0);
  }

  /** Return the area that has changed since the last call. */
  takeChanged(): Area | undefined {
    const area = this.#changed;
    this.#changed = undefined;
    return area;
  }

  apply(operation: Operation): void {
    this.#done.push(operation);
    this.#undone = [];
    this.#paint(operation);
  }

  /** Lengthen the stroke that was begun last. */
  extend(point: Point): void {
    const stroke = this.#done.at(-1);
    if (stroke?.kind !== "stroke") return;
    const from = stroke.points.at(-1) ?? point;
    stroke.points.push(point);
    this.#line(from, point, stroke.size / 2, stroke.label);
  }

  undo(): void {
    const last = this.#done.at(-1);
    if (!last) return;
    this.discard();
    this.#undone.push(last);
  }

  /** Undo what was done last, for good. */
  discard(): void {
    this.#done.pop();
    this.labels.fill(0);
    this.#note([0, 0, this.width, this.height]);
    for (const each of this.#done) this.#paint(each);
  }

  redo(): void {
    const next = this.#undone.pop();
    if (!next) return;
    this.#done.push(next);
    this.#paint(next);
  }

  #note([left, top, right, bottom]: Area): void {
    const [l, t, r, b] = this.#changed ?? [left, top, right, bottom];
    this.#changed = [Math.min(l, left), Math.min(t, top), Math.max(r, right), Math.max(b, bottom)];
  }

  #paint(operation: Operation): void {
    const isLocal = operation.kind === "stroke" || operation.kind === "flood";
    if (!isLocal) this.#note([0, 0, this.width, this.height]);
    switch (operation.kind) {
      case "flood": {
        const area = flood(this.labels, this.width, operation.point, operation.label);
        if (area) this.#note(area);
        break;
      }
      case "fill":
        this.labels.fill(operation.label);
        break;
      case "invert":
        this.labels.forEach((label, index) => {
          this.labels[index] = label === 0 ? 1 : 0;
        });
        break;
      case "load":
        this.labels.set(operation.labels);
        break;
      case "stroke":
        operation.points.forEach((point, index) => {
          const from = operation.points[index - 1] ?? point;
          this.#line(from, point, operation.size / 2, operation.label);
        });
    }
  }

  /** Give a label to all pixels whose centres are at most `radius` from a line. */
  #line([x0, y0]: Point, [x1, y1]: Point, radius: number, label: number): void {
    const reach = Math.max(radius, 0.5);
    const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
    const right = Math.min(this.width - 1, Math.ceil(Math.max(x0, x1) + reach));
    const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
    const bottom = Math.min(this.height - 1, Math.ceil(Math.max(y0, y1) + reach));
    if (left > right || top > bottom) return;
    this.#note([left, top, right + 1, bottom + 1]);
    const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const [dx, dy] = [x + 0.5 - x0, y + 0.5 - y0];
        const along = length && Math.min(1, Math.max(0, (dx * (x1 - x0) + dy * (y1 - y0)) / length));
        const [ex, ey] = [dx - along * (x1 - x0), dy - along * (y1 - y0)];
        if (ex * ex + ey * ey <= reach * reach) this.labels[y * this.width + x] = label;
      }
    }
  }
}
