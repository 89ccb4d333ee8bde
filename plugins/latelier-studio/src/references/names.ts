/** The names of a database of pictures. */

import { api } from "../api/client.ts";
import type { DatabaseEntry } from "../api/types.ts";

export class Names {
  readonly #database: string;
  readonly #entries: DatabaseEntry[];
  readonly #numbers: Map<string, number>;

  static async load(database: string): Promise<Names> {
    return new Names(database, (await api.database(database)).entries);
  }

  private constructor(database: string, entries: DatabaseEntry[]) {
    this.#database = database;
    this.#entries = entries;
    const synonyms = entries.flatMap((entry, number) => entry.synonyms.map((each) => [key(each), number] as const));
    const names = entries.map(({ name }, number) => [key(name), number] as const);
    this.#numbers = new Map([...synonyms.reverse(), ...names]); // the first with a synonym has it; names win
  }

  /** Return the name of an entry, which is given by its name, a synonym or its number. */
  nameOf(entry: string | number): string {
    return this.#entries[this.#numberOf(entry) ?? -1]?.name ?? String(entry);
  }

  /** Return the URL of what an entry shows; undefined if there is none. */
  picture(entry: string | number): string | undefined {
    const number = this.#numberOf(entry);
    return number === undefined ? undefined : api.databasePicture(this.#database, number);
  }

  /** Return entries with words that begin with those of a text: first by their names, then by synonyms. */
  search(text: string, most: number): DatabaseEntry[] {
    const wanted = key(text);
    const ranked = this.#entries.map((entry) => ({ entry, rank: rankOf(entry, wanted) }));
    const found = ranked.filter(({ rank }) => rank < NOT_FOUND);
    found.sort((a, b) => a.rank - b.rank || a.entry.name.length - b.entry.name.length);
    return found.slice(0, most).map(({ entry }) => entry);
  }

  #numberOf(entry: string | number): number | undefined {
    return typeof entry === "number" ? entry : this.#numbers.get(key(entry));
  }
}

const NOT_FOUND = 4;

function rankOf({ name, synonyms }: DatabaseEntry, wanted: string): number {
  const own = key(name);
  if (own === wanted) return 0;
  const others = synonyms.map(key);
  if (others.includes(wanted)) return 1;
  if (` ${own}`.includes(` ${wanted}`)) return 2;
  return others.some((each) => ` ${each}`.includes(` ${wanted}`)) ? 3 : NOT_FOUND;
}

function key(text: string): string {
  return text.trim().toLowerCase();
}
