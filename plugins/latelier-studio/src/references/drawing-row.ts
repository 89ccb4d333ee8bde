/** The row of a drawing below the picture: what it is, its numbers, and its buttons. */

import { h, newId } from "../dom.ts";
import { icon } from "../icons.ts";
import type { Drawing } from "./drawing.ts";
import { type Pose, SMALLEST } from "./pose.ts";

interface Events {
  removed(): void;
  /** Put its slot into the prompt. */
  mentioned(): void;
}

export class DrawingRow {
  readonly element: HTMLElement;
  readonly #drawing: Drawing;
  readonly #slot: HTMLButtonElement;
  readonly #thumbnail = h("img", { alt: "", hidden: true });
  readonly #name = h("span", { class: "drawing-name" });
  readonly #mirror: HTMLButtonElement;
  readonly #remove: HTMLButtonElement;
  readonly #turn: HTMLInputElement;
  readonly #size: HTMLInputElement;

  constructor(drawing: Drawing, canPlace: boolean, events: Events) {
    this.#drawing = drawing;
    this.#slot = h("button", { type: "button", class: "slot", onClick: () => events.mentioned() });
    const mirror = (): void => drawing.change(drawing.poses.mirrored(drawing.pose));
    const button = { type: "button", class: "icon-button" };
    this.#mirror = h("button", { ...button, hidden: !canPlace, onClick: mirror }, icon("mirror"));
    this.#remove = h("button", { ...button, onClick: () => events.removed() }, icon("close"));
    const turnTo = (degrees: number): Pose => drawing.poses.turned(drawing.pose, degrees);
    this.#turn = createNumber(-180, 180, 5, turnTo, drawing);
    const sizeAt = (percent: number): Pose => drawing.poses.resized(drawing.pose, percent / 100);
    this.#size = createNumber(SMALLEST * 100, 100, 1, sizeAt, drawing);
    const numbers = h(
      "div",
      { class: "drawing-numbers", hidden: !canPlace },
      ...labelled("Turn, degrees", this.#turn),
      ...labelled("Size, %", this.#size),
    );
    this.element = h(
      "div",
      { class: "drawing-row", role: "group" },
      this.#slot,
      this.#thumbnail,
      this.#name,
      this.#mirror,
      this.#remove,
      numbers,
    );
    this.element.addEventListener("focusin", () => drawing.highlight(true));
    this.element.addEventListener("focusout", () => drawing.highlight(false));
    this.element.addEventListener("input", (event) => event.stopPropagation());
  }

  set thumbnail(source: string) {
    this.#thumbnail.src = source;
    this.#thumbnail.hidden = false;
  }

  name(slot: string, name: string): void {
    this.#slot.textContent = slot;
    this.#slot.setAttribute("aria-label", `${slot}: put it into the prompt`);
    this.#slot.title = `Put ${slot} into the prompt`;
    this.#name.textContent = name;
    this.element.setAttribute("aria-label", `Drawing ${slot}, ${name}`);
    this.#mirror.setAttribute("aria-label", `Mirror ${slot}`);
    this.#remove.setAttribute("aria-label", `Remove ${slot}`);
  }

  highlight(isOn: boolean): void {
    this.element.classList.toggle("is-active", isOn);
  }

  /** Show the pose of its drawing, but for a field that a person is writing in. */
  show(): void {
    const { pose, poses } = this.#drawing;
    this.#mirror.setAttribute("aria-pressed", String(pose.isMirrored));
    if (document.activeElement !== this.#turn) this.#turn.value = String(Math.round(pose.turn));
    if (document.activeElement !== this.#size) this.#size.value = String(Math.round(poses.size(pose) * 100));
  }
}

function createNumber(
  min: number,
  max: number,
  step: number,
  poseAt: (value: number) => Pose,
  drawing: Drawing,
): HTMLInputElement {
  const input = h("input", {
    type: "number",
    id: newId("number"),
    min,
    max,
    step: "any",
    onInput: () => {
      const value = input.valueAsNumber;
      if (value >= min && value <= max) drawing.change(poseAt(value));
    },
    onKeydown: (event: KeyboardEvent) => {
      const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!sign) return;
      event.preventDefault();
      const value = Math.min(max, Math.max(min, Math.round(input.valueAsNumber || 0) + sign * step));
      input.value = String(value);
      drawing.change(poseAt(value));
    },
  });
  return input;
}

function labelled(text: string, input: HTMLInputElement): HTMLElement[] {
  return [h("label", { htmlFor: input.id }, text), input];
}
