/** Where a drawing is in the picture, and how it is turned: pure geometry. */

import { type Box, clamp } from "../canvas/box.ts";

/** Width and height; 1 is the longer side of the drawing when it is not turned. */
export type Sides = [width: number, height: number];

/** The size of what a drawing shows when it is turned, in degrees counter-clockwise. */
export interface Outline {
  sides(turn: number, isMirrored: boolean): Sides;
}

export interface Pose {
  /** The box around the drawing as it is turned. A wider one shows it in its middle. */
  box: Box;
  /** Degrees from -180 to 180, counter-clockwise. */
  turn: number;
  isMirrored: boolean;
}

/** Of a drawing whose picture is not there. */
export const SQUARE: Outline = { sides: () => [1, 1] };

export const SMALLEST = 0.05; // longer side of a drawing, 1 for the width of the picture

/** The poses of a drawing in a picture of an aspect, which is width / height. */
export class Poses {
  constructor(
    readonly outline: Outline,
    readonly aspect: number,
  ) {}

  /** Return the longer side of a drawing that is not turned, as a share of the width of the picture. */
  size({ box: [x0, y0, x1, y1], turn, isMirrored }: Pose): number {
    const [width, height] = this.#shares(turn, isMirrored);
    return Math.min((x1 - x0) / width, (y1 - y0) / height);
  }

  /** Return a pose around a point, as near to it as the picture has room. */
  at([x, y]: readonly [number, number], size: number, turn = 0, isMirrored = false): Pose {
    const [width, height] = this.#shares(turn, isMirrored);
    const fitting = Math.min(Math.max(size, SMALLEST), 1 / width, 1 / height);
    const [w, h] = [width * fitting, height * fitting];
    const [left, top] = [clamp(x - w / 2, 0, 1 - w), clamp(y - h / 2, 0, 1 - h)];
    return { box: [left, top, Math.min(1, left + w), Math.min(1, top + h)], turn, isMirrored };
  }

  moved(pose: Pose, dx: number, dy: number): Pose {
    const [x0, y0, x1, y1] = pose.box;
    const [x, y] = [clamp(dx, -x0, 1 - x1), clamp(dy, -y0, 1 - y1)];
    return { ...pose, box: [x0 + x, y0 + y, x1 + x, y1 + y] };
  }

  resized(pose: Pose, size: number): Pose {
    return this.at(centerOf(pose), size, pose.turn, pose.isMirrored);
  }

  turned(pose: Pose, turn: number): Pose {
    return this.at(centerOf(pose), this.size(pose), normalize(turn), pose.isMirrored);
  }

  mirrored(pose: Pose): Pose {
    return this.at(centerOf(pose), this.size(pose), pose.turn, !pose.isMirrored);
  }

  /** Return a pose whose lower right corner is moved, and whose upper left one stays. */
  stretched(pose: Pose, dx: number, dy: number): Pose {
    const [x0, y0, x1, y1] = this.resized(pose, this.size(pose)).box; // without what is around the drawing
    const [width, height] = [x1 - x0, y1 - y0];
    const wanted = ((width + dx) / width + (height + dy) / height) / 2;
    const most = Math.min((1 - x0) / width, (1 - y0) / height);
    const scale = clamp(wanted, Math.min(1, SMALLEST / this.size(pose)), most);
    const box: Box = [x0, y0, Math.min(1, x0 + width * scale), Math.min(1, y0 + height * scale)];
    return { ...pose, box };
  }

  /** Return width and height as shares of those of the picture, of a drawing of size 1. */
  #shares(turn: number, isMirrored: boolean): Sides {
    const [width, height] = this.outline.sides(turn, isMirrored);
    return [width, height * this.aspect];
  }
}

export function centerOf({ box: [x0, y0, x1, y1] }: Pose): [number, number] {
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}

/** Return an angle as -180 to 180 degrees, rounded. */
function normalize(degrees: number): number {
  const turn = Math.round(degrees) % 360;
  return turn > 180 ? turn - 360 : turn < -180 ? turn + 360 : turn;
}
