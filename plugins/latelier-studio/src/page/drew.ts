/** What a picture was shown of the things in it, in words. */

import type { Drew } from "../api/types.ts";

const OWN = "your drawing";
const SLOT = /#([1-9]\d?)(?!\w)/g;

/** Return what was looked up, and what the person gave, as sentences; "" for nothing. */
export function describeDrew(drew: Drew[]): string {
  const names = drew.flatMap(({ name }) => (name === null ? [] : [name]));
  const own = drew.length - names.length;
  const looked = names.length > 0 && `Drawn after examples that the model has: ${listNames(names)}.`;
  const given = own > 0 && (own === 1 ? `It drew ${OWN}.` : `It drew your ${own} drawings.`);
  return [looked, given].filter(Boolean).join(" ");
}

/** Return a text with names in place of slots such as "#1". */
export function withNames(text: string, drew: Drew[]): string {
  return text.replace(SLOT, (slot, number: string) => {
    const shown = drew[Number(number) - 1];
    return shown ? (shown.name ?? OWN) : slot;
  });
}

/** Return whether a text has the slots #1, #2 ... of some references, each once and in this order. */
export function hasEachSlot(text: string, count: number): boolean {
  const slots = [...text.matchAll(SLOT)].map(([, number]) => Number(number));
  return slots.length === count && slots.every((slot, index) => slot === index + 1);
}

function listNames(names: string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const texts = [...counts].map(([name, count]) => (count > 1 ? `${name} (${count} times)` : name));
  const last = texts.pop() ?? "";
  return texts.length > 0 ? `${texts.join(", ")} and ${last}` : last;
}
