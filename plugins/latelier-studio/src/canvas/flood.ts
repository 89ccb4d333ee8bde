/** Filling an area of one label. */

import type { Area, Point } from "./painting.ts";

/**
 * Give a label to all pixels of the area around a point: those of one label that touch by their sides.
 * Return what has changed; undefined for nothing.
 */
export function flood(labels: Uint8Array, width: number, [x, y]: Point, label: number): Area | undefined {
  const start = indexOf(labels, width, [x, y]);
  const old = labels[start];
  if (old === label) return undefined;
  let [left, top, right, bottom] = [width, labels.length / width, 0, 0];
  const runs = [start]; // a pixel of each run of a row that is still to be filled
  for (let at = runs.pop(); at !== undefined; at = runs.pop()) {
    if (labels[at] !== old) continue;
    const row = Math.floor(at / width);
    const [from, to] = runAround(labels, at, row * width, (row + 1) * width);
    labels.fill(label, from, to);
    for (const shift of [-width, width]) addRuns(labels, old, from + shift, to + shift, runs);
    [left, right] = [Math.min(left, from - row * width), Math.max(right, to - row * width)];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
  }
  return [left, top, right, bottom];
}

/** Return the index of the pixel at a point, or of the nearest one. */
function indexOf(labels: Uint8Array, width: number, [x, y]: Point): number {
  const limit = (value: number, size: number): number => Math.min(size - 1, Math.max(0, Math.floor(value)));
  return limit(y, labels.length / width) * width + limit(x, width);
}

/** Return where the pixels of a row that have the label of one of them begin and end. */
function runAround(labels: Uint8Array, at: number, first: number, end: number): [from: number, to: number] {
  let [from, to] = [at, at + 1];
  while (from > first && labels[from - 1] === labels[at]) from -= 1;
  while (to < end && labels[to] === labels[at]) to += 1;
  return [from, to];
}

/** Add the first pixel of each run of a label between two pixels of a row. */
function addRuns(labels: Uint8Array, label: number | undefined, from: number, to: number, runs: number[]): void {
  for (let at = from; at < to; at++) {
    if (labels[at] === label && (at === from || labels[at - 1] !== label)) runs.push(at);
  }
}
