/** The brush of a painter: its place, its size, and a circle that shows both. */

import { h, newId } from "../dom.ts";
import { icon } from "../icons.ts";
import type { Point } from "./painting.ts";

const FIRST_SIZE = 0.12; // of the shorter side

export class Brush {
  /** The circle. */
  readonly cursor = h("div", { class: "brush-cursor", hidden: true });
  /** The slider of the size, with its label. */
  readonly control: HTMLElement;
  readonly #slider: HTMLInputElement;
  readonly #width: number;
  readonly #height: number;
  #place: Point;

  /** Return the brush of a surface of so many pixels. */
  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#place = [width / 2, height / 2];
    const side = Math.min(width, height);
    const id = newId("size");
    this.#slider = h("input", {
      type: "range",
      id,
      min: 1,
      max: Math.max(2, Math.round(side / 2)),
      value: String(Math.max(2, Math.round(side * FIRST_SIZE))),
      onInput: (event: Event) => {
        event.stopPropagation();
        this.moveTo(this.#place);
      },
    });
    this.control = h("label", { class: "brush-size", htmlFor: id }, icon("brush"), "Size", this.#slider);
  }

  /** Its middle, in pixels. */
  get place(): Point {
    return this.#place;
  }

  /** Its diameter in pixels. */
  get size(): number {
    return Math.max(1, this.#slider.valueAsNumber);
  }

  changeSize(step: 1 | -1): void {
    if (step > 0) this.#slider.stepUp();
    else this.#slider.stepDown();
    this.moveTo(this.#place);
  }

  /** Show it at a place. */
  moveTo(place: Point): void {
    this.#place = place;
    const { style } = this.cursor;
    this.cursor.hidden = false;
    style.left = `${(place[0] / this.#width) * 100}%`;
    style.top = `${(place[1] / this.#height) * 100}%`;
    style.width = `${(this.size / this.#width) * 100}%`;
    style.height = `${(this.size / this.#height) * 100}%`;
  }

  /** Move it by half of its size, or by a pixel. */
  moveBy([dx, dy]: Point, isFine: boolean): void {
    const step = isFine ? 1 : Math.max(1, this.size / 2);
    const x = Math.min(this.#width, Math.max(0, this.#place[0] + dx * step));
    const y = Math.min(this.#height, Math.max(0, this.#place[1] + dy * step));
    this.moveTo([x, y]);
  }

  hide(): void {
    this.cursor.hidden = true;
  }
}
