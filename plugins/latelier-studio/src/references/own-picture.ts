/** A drawing from a file: made small, and cut out of a plain background. */

import { drawSmall, loadPicture } from "../canvas/pictures.ts";
import { readFile } from "../canvas/taking.ts";

const LARGEST = 512; // pixels of the longer side: more than models see
const PLAIN = 0.97; // share of the border that has one colour
const SAME = 24; // difference of two levels of a colour
const EDGE = 96; // of a pixel at the edge that has nothing of the background

const CUT = "The plain background of your picture was cut away.";
const ALL = "All of your picture is drawn: it has no transparent and no plain background.";

/**
 * Return a drawing as the data URI of a PNG, and a note about its background. That is cut away where
 * the picture is transparent nowhere and has one colour all around.
 */
export async function readDrawing(file: File): Promise<{ source: string; note: string }> {
  const image = await loadPicture(await readFile(file));
  const context = drawSmall(image, LARGEST);
  const pixels = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
  let note = "";
  if (isOpaque(pixels)) {
    note = cutOut(pixels) ? CUT : ALL;
    context.putImageData(pixels, 0, 0);
  }
  return { source: context.canvas.toDataURL("image/png"), note };
}

function isOpaque({ data }: ImageData): boolean {
  return data.every((level, at) => at % 4 !== 3 || level === 255);
}

/** Make a plain background transparent, and return whether there is one around something. */
function cutOut({ data, width, height }: ImageData): boolean {
  const border = listBorder(width, height);
  const differ = (pixel: number): number =>
    Math.max(...[0, 1, 2].map((k) => Math.abs((data[pixel * 4 + k] ?? 0) - (data[k] ?? 0))));
  if (border.filter((pixel) => differ(pixel) <= SAME).length < PLAIN * border.length) return false;
  const isOutside = new Uint8Array(width * height);
  const edge = new Set<number>();
  const waiting = border.filter((pixel) => differ(pixel) <= SAME);
  for (let pixel = waiting.pop(); pixel !== undefined; pixel = waiting.pop()) {
    if (isOutside[pixel]) continue;
    isOutside[pixel] = 1;
    for (const next of neighbours(pixel, width, height)) {
      if (differ(next) > SAME) edge.add(next);
      else if (!isOutside[next]) waiting.push(next);
    }
  }
  if (isOutside.every(Boolean)) return false;
  for (const pixel of edge) unmix(data, pixel, Math.min(1, differ(pixel) / EDGE));
  isOutside.forEach((outside, pixel) => {
    if (outside) data[pixel * 4 + 3] = 0;
  });
  return true;
}

/** Take the background, whose colour is that of the first pixel, out of a pixel at the edge. */
function unmix(data: Uint8ClampedArray, pixel: number, share: number): void {
  for (const k of [0, 1, 2]) {
    const behind = data[k] ?? 0;
    data[pixel * 4 + k] = behind + ((data[pixel * 4 + k] ?? 0) - behind) / share;
  }
  data[pixel * 4 + 3] = 255 * share;
}

function listBorder(width: number, height: number): number[] {
  const pixels = new Set<number>();
  for (let x = 0; x < width; x += 1) pixels.add(x).add((height - 1) * width + x);
  for (let y = 0; y < height; y += 1) pixels.add(y * width).add(y * width + width - 1);
  return [...pixels];
}

function neighbours(pixel: number, width: number, height: number): number[] {
  const [x, y] = [pixel % width, Math.floor(pixel / width)];
  const found: number[] = [];
  if (x > 0) found.push(pixel - 1);
  if (x < width - 1) found.push(pixel + 1);
  if (y > 0) found.push(pixel - width);
  if (y < height - 1) found.push(pixel + width);
  return found;
}
