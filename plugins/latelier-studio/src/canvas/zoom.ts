/** A view of a surface: zoomed by buttons, and by two fingers, which also move it. */

import { h } from "../dom.ts";
import type { Point } from "./painting.ts";

const ZOOMS = [1, 2, 4, 8]; // of the buttons
const LARGEST = 8;

interface Fingers {
  distance: number;
  middle: Point;
}

export class ZoomView {
  readonly element: HTMLElement;
  readonly #sheet: HTMLElement;
  readonly #pointers = new Map<number, PointerEvent>();
  #zoom = 1;
  #isPinching = false;
  #cancelled: Event | undefined;

  constructor(sheet: HTMLElement) {
    this.#sheet = sheet;
    this.element = h("div", { class: "view" }, sheet);
    // in the capture phase: two fingers are for the view alone, not for what they touch
    const options = { capture: true };
    this.element.addEventListener("pointerdown", (event) => this.#press(event), options);
    this.element.addEventListener("pointermove", (event) => this.#move(event), options);
    this.element.addEventListener("pointerup", (event) => this.#release(event), options);
    this.element.addEventListener("pointercancel", (event) => this.#release(event), options);
  }

  /** Zoom in or out by a step, and show `place`, in 0..1 of the surface, in the middle. */
  zoomBy(step: 1 | -1, [x, y]: Point): void {
    const larger = ZOOMS.find((zoom) => zoom > this.#zoom);
    const smaller = ZOOMS.findLast((zoom) => zoom < this.#zoom);
    this.#resize((step > 0 ? larger : smaller) ?? this.#zoom);
    const { width, height } = this.#sheet.getBoundingClientRect();
    const { clientWidth, clientHeight } = this.element;
    this.element.scrollTo(x * width - clientWidth / 2, y * height - clientHeight / 2);
  }

  #resize(zoom: number): void {
    this.#zoom = Math.min(LARGEST, Math.max(1, zoom));
    this.#sheet.style.width = `${this.#zoom * 100}%`;
    this.element.classList.toggle("is-zoomed", this.#zoom > 1);
  }

  #press(event: PointerEvent): void {
    if (event.pointerType === "mouse") return;
    const [first] = this.#pointers.values();
    this.#pointers.set(event.pointerId, event);
    if (first && !this.#isPinching) {
      this.#isPinching = true;
      this.#cancel(first); // the first finger of two meant nothing by itself
    }
    if (this.#isPinching) event.stopPropagation();
  }

  /** Tell what a pointer has touched that it is taken away. */
  #cancel({ pointerId, target }: PointerEvent): void {
    this.#cancelled = new PointerEvent("pointercancel", { pointerId, bubbles: true });
    target?.dispatchEvent(this.#cancelled);
    this.#cancelled = undefined;
  }

  #move(event: PointerEvent): void {
    if (!this.#pointers.has(event.pointerId)) return;
    const before = this.#fingers;
    this.#pointers.set(event.pointerId, event);
    if (!this.#isPinching) return;
    event.stopPropagation();
    const after = this.#fingers;
    if (before && after) this.#pinch(before, after);
  }

  #release(event: PointerEvent): void {
    if (event === this.#cancelled) return;
    this.#pointers.delete(event.pointerId);
    if (!this.#isPinching) return;
    event.stopPropagation();
    this.#isPinching = this.#pointers.size > 0; // the last finger that is left does not draw either
  }

  get #fingers(): Fingers | undefined {
    const [a, b] = this.#pointers.values();
    if (!a || !b) return undefined;
    return {
      distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY),
      middle: [(a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2],
    };
  }

  /** Zoom so that what was between the fingers stays between them. */
  #pinch(before: Fingers, after: Fingers): void {
    const from = this.#sheet.getBoundingClientRect();
    const x = (before.middle[0] - from.left) / from.width;
    const y = (before.middle[1] - from.top) / from.height;
    this.#resize((this.#zoom * after.distance) / Math.max(1, before.distance));
    const to = this.#sheet.getBoundingClientRect();
    this.element.scrollBy(
      to.left + x * to.width - after.middle[0],
      to.top + y * to.height - after.middle[1],
    );
  }
}
