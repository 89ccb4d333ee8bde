/** What a drawing shows: its picture, cut to what is visible, and its sides when it is turned. */

import { createContext, drawSmall, loadPicture } from "../canvas/pictures.ts";
import type { Outline, Sides } from "./pose.ts";

const LARGEST = 256; // pixels of the longer side
const VISIBLE = 32; // alpha above which a pixel counts, as the model sees it

type Bounds = [left: number, top: number, right: number, bottom: number];

export class Shape implements Outline {
  readonly #picture: HTMLCanvasElement;
  /** The outermost points of each row, from the middle of the picture, which is `#longer` long. */
  readonly #points: [number, number][];
  readonly #longer: number;

  /** Load the shape of a picture: a URL or a data URI. */
  static async load(source: string): Promise<Shape> {
    const context = drawSmall(await loadPicture(source), LARGEST);
    const rows = findRows(context.getImageData(0, 0, context.canvas.width, context.canvas.height));
    if (rows.length === 0) throw new Error("This picture is transparent everywhere.");
    return new Shape(context.canvas, rows);
  }

  private constructor(picture: HTMLCanvasElement, rows: [x0: number, x1: number, y: number][]) {
    const left = Math.min(...rows.map(([x0]) => x0));
    const right = Math.max(...rows.map(([, x1]) => x1));
    const [top, bottom] = [rows[0]?.[2] ?? 0, (rows.at(-1)?.[2] ?? 0) + 1];
    const [width, height] = [right - left, bottom - top];
    const context = createContext(width, height);
    context.drawImage(picture, -left, -top);
    this.#picture = context.canvas;
    this.#longer = Math.max(width, height);
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    this.#points = rows.flatMap(([x0, x1, row]) =>
      [x0, x1].flatMap((each) => [row, row + 1].map((line): [number, number] => [each - x, line - y])),
    );
  }

  sides(turn: number, isMirrored: boolean): Sides {
    const [left, top, right, bottom] = this.#bounds(turn, isMirrored);
    return [(right - left) / this.#longer, (bottom - top) / this.#longer];
  }

  /** Draw it mirrored and turned into a canvas, which becomes as large as that. */
  draw(canvas: HTMLCanvasElement, turn: number, isMirrored: boolean): void {
    const [left, top, right, bottom] = this.#bounds(turn, isMirrored);
    canvas.width = Math.max(1, Math.round(right - left));
    canvas.height = Math.max(1, Math.round(bottom - top));
    const context = canvas.getContext("2d");
    if (!context) return;
    const { width, height } = this.#picture;
    context.translate(-left, -top);
    context.rotate(-toRadians(turn));
    context.scale(isMirrored ? -1 : 1, 1);
    context.drawImage(this.#picture, -width / 2, -height / 2);
  }

  #bounds(turn: number, isMirrored: boolean): Bounds {
    const [sine, cosine] = [Math.sin(toRadians(turn)), Math.cos(toRadians(turn))];
    const bounds: Bounds = [Infinity, Infinity, -Infinity, -Infinity];
    for (const [right, y] of this.#points) {
      const x = isMirrored ? -right : right;
      const [toX, toY] = [x * cosine + y * sine, y * cosine - x * sine]; // counter-clockwise, y is down
      bounds[0] = Math.min(bounds[0], toX);
      bounds[1] = Math.min(bounds[1], toY);
      bounds[2] = Math.max(bounds[2], toX);
      bounds[3] = Math.max(bounds[3], toY);
    }
    return bounds;
  }
}

function toRadians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** Return left, right and row of what is visible in each row of pixels that shows something. */
function findRows({ data, width, height }: ImageData): [number, number, number][] {
  const rows: [number, number, number][] = [];
  for (let y = 0; y < height; y += 1) {
    let [first, last] = [width, -1];
    for (let x = 0; x < width; x += 1) {
      if ((data[(y * width + x) * 4 + 3] ?? 0) <= VISIBLE) continue;
      first = Math.min(first, x);
      last = x;
    }
    if (last >= 0) rows.push([first, last + 1, y]);
  }
  return rows;
}
