/** The colours that show the labels of a map: those of the model, else natural ones of known words. */

import type { Label } from "../api/types.ts";
import type { Color } from "./painter.ts";

const NOTHING: Color = [232, 228, 220, 255];

/** How much lighter, or darker if negative, the colours of further labels are that have the same word. */
const SHADES = [0, -0.25, 0.35, -0.45, 0.6];

/** Colours of things, by words of their names. The first line that has a word of a name counts. */
const NATURAL: readonly (readonly [words: string, color: string])[] = [
  ["none nothing unlabeled unlabelled void", "#e8e4dc"],
  ["night space", "#1f2a5c"],
  ["sky heaven", "#8fc4f2"],
  ["cloud fog mist", "#dfe7ee"],
  ["water sea ocean river lake pond pool rain waterfall", "#2a6fc0"],
  ["snow ice frost glacier", "#e4f1fb"],
  ["sand beach desert dune", "#ecd394"],
  ["grass meadow lawn field", "#6cb33f"],
  ["tree forest wood bush leaf leaves jungle", "#2f7d38"],
  ["flower blossom petal", "#e977b0"],
  ["nature plant vegetation garden", "#4c9a3d"],
  ["mountain hill rock stone cliff", "#8b8378"],
  ["ground soil earth dirt mud land floor", "#a5804f"],
  ["road street pavement path railroad bridge", "#6d6f78"],
  ["travel place vehicle car bus train boat plane", "#7d8794"],
  ["wall house building roof city town castle", "#b5643f"],
  ["person people human body skin hand man woman child", "#efb48e"],
  ["smiley face emotion sun star moon light", "#fbcf3b"],
  ["fire flame lava", "#f0541e"],
  ["food drink fruit meal vegetable", "#dc3f36"],
  ["animal cat dog bird fish horse cow sheep", "#94602f"],
  ["activity sport game toy", "#f28a24"],
  ["object thing tool furniture clothing", "#8a63b5"],
  ["symbol sign text letter flag", "#17a096"],
];

/** Return the colours of all labels, in their order. */
export function colorsOf(labels: readonly Label[]): Color[] {
  const counts = new Map<string, number>();
  return labels.map(({ value, name = "", color }) => {
    if (color) return parse(color);
    const natural = naturalColor(name);
    const count = counts.get(natural ?? "") ?? 0;
    const lightness = SHADES[count];
    if (natural === undefined || lightness === undefined) return value === 0 ? NOTHING : generate(value);
    counts.set(natural, count + 1);
    return shade(parse(natural), lightness);
  });
}

/** Return the colour of a known word in a name. */
function naturalColor(name: string): string | undefined {
  const words = name.toLowerCase().split(/[^a-z]+/).flatMap((word) => [word, ...singulars(word)]);
  return NATURAL.find(([known]) => known.split(" ").some((word) => words.includes(word)))?.[1];
}

/** Return what a word may be the plural of. */
function singulars(word: string): string[] {
  return [word.replace(/ies$/, "y"), word.replace(/es$/, ""), word.replace(/s$/, "")];
}

function parse(color: string): Color {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return [red, green, blue, 255];
}

/** Return a colour that is lighter by a share of what is missing to white, or darker. */
function shade([red, green, blue, opacity]: Color, lightness: number): Color {
  const target = lightness > 0 ? 255 : 0;
  const mix = (channel: number): number => Math.round(channel + (target - channel) * Math.abs(lightness));
  return [mix(red), mix(green), mix(blue), opacity];
}

/** Return a colour far from those of the labels before and after. */
function generate(label: number): Color {
  const hue = (label * 137.508) % 360; // the golden angle
  return hslToRgb(hue, 0.55, 0.42 + 0.16 * (label % 3));
}

function hslToRgb(hue: number, saturation: number, lightness: number): Color {
  const range = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number): number => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - range * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4), 255];
}
