/** A box on a picture, which is moved and resized by pointer and by keyboard. */

import { h } from "../dom.ts";

/** x0, y0, x1, y1 in 0..1, from the upper left corner. */
export type Box = [x0: number, y0: number, x1: number, y1: number];

const SMALLEST = 0.02;
const STEP = 0.02;

export function clamp(value: number, low = 0, high = 1): number {
  return Math.min(high, Math.max(low, value));
}

/** Return the box between two points of the screen, on a surface. */
export function boxBetween(
  [ax, ay]: readonly [number, number],
  [bx, by]: readonly [number, number],
  on: DOMRect,
): Box {
  const x = [ax, bx].map((each) => clamp((each - on.left) / on.width)).sort((a, b) => a - b);
  const y = [ay, by].map((each) => clamp((each - on.top) / on.height)).sort((a, b) => a - b);
  return [x[0] ?? 0, y[0] ?? 0, x[1] ?? 1, y[1] ?? 1];
}

/** Call `onMove` while a pointer stays down on an element, and `onEnd` when it does not any more. */
export function followPointer(
  element: HTMLElement,
  { pointerId }: PointerEvent,
  onMove: (event: PointerEvent) => void,
  onEnd: (isCancelled: boolean) => void,
): void {
  element.setPointerCapture(pointerId);
  const isOver = new AbortController();
  const options = { signal: isOver.signal };
  const end = (event: PointerEvent): void => {
    if (event.pointerId !== pointerId) return;
    isOver.abort();
    onEnd(event.type === "pointercancel");
  };
  element.addEventListener("pointermove", onMove, options);
  element.addEventListener("pointerup", end, options);
  element.addEventListener("pointercancel", end, options);
}

export class BoxElement {
  readonly element: HTMLElement;
  readonly #caption = h("span", { class: "caption" });
  readonly #onChange: () => void;

  constructor(
    public box: Box,
    onChange: () => void,
    onRemove: () => void,
  ) {
    this.#onChange = onChange;
    const grip = h("span", { class: "grip" });
    this.element = h(
      "div",
      {
        class: "box",
        tabIndex: 0,
        role: "group",
        onKeydown: (event: KeyboardEvent) => {
          if (event.key === "Delete" || event.key === "Backspace") onRemove();
          else if (!this.#pressArrow(event)) return;
          event.preventDefault();
        },
      },
      this.#caption,
      grip,
    );
    this.element.addEventListener("pointerdown", (event) => {
      this.#drag(event, event.target === grip);
    });
    BoxElement.place(this.element, box);
  }

  /** Put an element where a box is. */
  static place({ style }: HTMLElement, [x0, y0, x1, y1]: Box): void {
    style.left = `${x0 * 100}%`;
    style.top = `${y0 * 100}%`;
    style.width = `${(x1 - x0) * 100}%`;
    style.height = `${(y1 - y0) * 100}%`;
  }

  name(number: string, label: string): void {
    this.#caption.textContent = label ? `${number} ${label}` : number;
    this.element.setAttribute(
      "aria-label",
      `Box ${number} ${label}: arrow keys move it, with Shift they resize it, Delete removes it`,
    );
  }

  highlight(isOn: boolean): void {
    this.element.classList.toggle("is-active", isOn);
  }

  #drag(event: PointerEvent, isResizing: boolean): void {
    if (event.button !== 0) return;
    event.stopPropagation();
    const { element } = this;
    const rect = element.parentElement?.getBoundingClientRect();
    if (!rect) return;
    const from = this.box;
    const move = (to: PointerEvent): void => {
      const dx = (to.clientX - event.clientX) / rect.width;
      const dy = (to.clientY - event.clientY) / rect.height;
      this.#set(isResizing ? resized(from, dx, dy) : moved(from, dx, dy));
    };
    followPointer(element, event, move, (isCancelled) => {
      if (isCancelled) this.#set(from);
      else this.#onChange();
    });
  }

  #pressArrow(event: KeyboardEvent): boolean {
    const dx = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key] ?? 0;
    const dy = { ArrowUp: -STEP, ArrowDown: STEP }[event.key] ?? 0;
    if (dx === 0 && dy === 0) return false;
    this.#set(event.shiftKey ? resized(this.box, dx, dy) : moved(this.box, dx, dy));
    this.#onChange();
    return true;
  }

  #set(box: Box): void {
    this.box = box;
    BoxElement.place(this.element, box);
  }
}

function moved([x0, y0, x1, y1]: Box, dx: number, dy: number): Box {
  const x = clamp(dx, -x0, 1 - x1);
  const y = clamp(dy, -y0, 1 - y1);
  return [x0 + x, y0 + y, x1 + x, y1 + y];
}

function resized([x0, y0, x1, y1]: Box, dx: number, dy: number): Box {
  return [x0, y0, clamp(x1 + dx, x0 + SMALLEST), clamp(y1 + dy, y0 + SMALLEST)];
}
