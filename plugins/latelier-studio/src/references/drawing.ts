/** A drawing on the picture, which is moved, resized and turned by pointer and by keyboard. */

import { BoxElement, followPointer } from "../canvas/box.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import { centerOf, type Pose, Poses, SQUARE } from "./pose.ts";
import type { Shape } from "./shape.ts";

const STEP = 0.02;
const SCALE = 1.1;
const DEGREES = 5;
const CLICK = 3; // pixels below which a pointer has not moved

interface Events {
  /** Called when a person has changed the pose. */
  changed(): void;
  removed(): void;
}

export class Drawing {
  readonly element: HTMLElement;
  readonly #canvas = h("canvas");
  readonly #caption = h("span", { class: "caption" });
  readonly #events: Events;
  #shape: Shape | undefined;
  #pose: Pose;
  #aspect: number;

  constructor(pose: Pose, aspect: number, events: Events) {
    this.#pose = pose;
    this.#aspect = aspect;
    this.#events = events;
    const grip = h("span", { class: "grip" });
    const turner = h("span", { class: "grip turner" }, icon("turn"));
    this.element = h(
      "div",
      { class: "box drawing", tabIndex: 0, role: "group", onKeydown: (event: KeyboardEvent) => this.#press(event) },
      this.#canvas,
      this.#caption,
      turner,
      grip,
    );
    this.element.addEventListener("pointerdown", (event) => {
      const { target } = event;
      if (target === grip) this.#drag(event, (from, dx, dy) => this.poses.stretched(from, dx, dy));
      else if (target instanceof Node && turner.contains(target)) this.#turn(event);
      else this.#drag(event, (from, dx, dy) => this.poses.moved(from, dx, dy));
    });
    this.#show();
  }

  get pose(): Pose {
    return this.#pose;
  }

  set pose(pose: Pose) {
    this.#pose = pose;
    this.#show();
  }

  get poses(): Poses {
    return new Poses(this.#shape ?? SQUARE, this.#aspect);
  }

  set shape(shape: Shape) {
    this.#shape = shape;
    this.#show();
  }

  /** Width / height of the picture. */
  set aspect(aspect: number) {
    this.#aspect = aspect;
  }

  name(slot: string, name: string): void {
    this.#caption.textContent = slot;
    this.element.setAttribute(
      "aria-label",
      `Drawing ${slot}, ${name}: arrow keys move it, plus and minus resize it, brackets turn it, M mirrors it, Delete removes it`,
    );
  }

  highlight(isOn: boolean): void {
    this.element.classList.toggle("is-active", isOn);
  }

  /** Take a pose from a person. */
  change(pose: Pose): void {
    this.pose = pose;
    this.#events.changed();
  }

  #show(): void {
    BoxElement.place(this.element, this.#pose.box);
    this.#shape?.draw(this.#canvas, this.#pose.turn, this.#pose.isMirrored);
  }

  #drag(event: PointerEvent, pose: (from: Pose, dx: number, dy: number) => Pose): void {
    const rect = this.element.parentElement?.getBoundingClientRect();
    if (!rect) return;
    const from = this.#pose;
    this.#follow(event, (to) =>
      pose(from, (to.clientX - event.clientX) / rect.width, (to.clientY - event.clientY) / rect.height),
    );
  }

  /** Turn it as the pointer goes around its middle. */
  #turn(event: PointerEvent): void {
    const rect = this.element.parentElement?.getBoundingClientRect();
    if (!rect) return;
    const from = this.#pose;
    const [x, y] = centerOf(from);
    const angle = ({ clientX, clientY }: PointerEvent): number =>
      (Math.atan2(rect.top + y * rect.height - clientY, clientX - rect.left - x * rect.width) * 180) / Math.PI;
    this.#follow(event, (to) => this.poses.turned(from, from.turn + angle(to) - angle(event)));
  }

  /** Pose it as a pointer moves, until it is up. */
  #follow(event: PointerEvent, poseAt: (to: PointerEvent) => Pose): void {
    if (event.button !== 0) return;
    event.stopPropagation();
    const from = this.#pose;
    let hasMoved = false;
    const move = (to: PointerEvent): void => {
      hasMoved ||= Math.hypot(to.clientX - event.clientX, to.clientY - event.clientY) > CLICK;
      if (hasMoved) this.pose = poseAt(to);
    };
    followPointer(this.element, event, move, (isCancelled) => {
      if (isCancelled) this.pose = from;
      else if (hasMoved) this.#events.changed();
    });
  }

  #press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Delete" || event.key === "Backspace") this.#events.removed();
    else {
      const pose = this.#poseAfter(event.key);
      if (!pose) return;
      this.change(pose);
    }
    event.preventDefault();
  }

  #poseAfter(key: string): Pose | undefined {
    const { poses } = this;
    const pose = this.#pose;
    const size = poses.size(pose);
    const changes: Record<string, () => Pose> = {
      ArrowLeft: () => poses.moved(pose, -STEP, 0),
      ArrowRight: () => poses.moved(pose, STEP, 0),
      ArrowUp: () => poses.moved(pose, 0, -STEP),
      ArrowDown: () => poses.moved(pose, 0, STEP),
      "+": () => poses.resized(pose, size * SCALE),
      "=": () => poses.resized(pose, size * SCALE), // the same key without Shift
      "-": () => poses.resized(pose, size / SCALE),
      "[": () => poses.turned(pose, pose.turn + DEGREES),
      "]": () => poses.turned(pose, pose.turn - DEGREES),
      m: () => poses.mirrored(pose),
    };
    return changes[key.length === 1 ? key.toLowerCase() : key]?.();
  }
}
