/** The widget of reference pictures: drawings from files or of the model's database, and their places. */

import { acceptFiles, TYPES } from "../canvas/taking.ts";
import { debounce, h, newId } from "../dom.ts";
import { Widget } from "../form/widget.ts";
import { icon } from "../icons.ts";
import { Drawing } from "./drawing.ts";
import { DrawingRow } from "./drawing-row.ts";
import { NameSearch } from "./name-search.ts";
import { Names } from "./names.ts";
import { readDrawing } from "./own-picture.ts";
import { Placement } from "./placement.ts";
import { centerOf, type Pose, Poses, SQUARE } from "./pose.ts";
import { Shape } from "./shape.ts";
import { isOwn, readReferences, type Source, writeReferences } from "./value.ts";

const SIZE = 0.4; // of a new drawing, 1 for the width of the picture
const CENTERS: [number, number][] = [
  [0.28, 0.62],
  [0.72, 0.62],
  [0.5, 0.27],
];
const OWN = "Your drawing";
const MENTION = "#1 stands for the first drawing in the prompt: “#1 in a meadow”. Press the number to put it there.";
const ALL_PLACED = " If the prompt names other things, add them here too, so that each has its place.";

interface Entry {
  source: Source;
  drawing: Drawing;
  row: DrawingRow;
  /** Whether its pose was chosen, and not only where it begins. */
  isPosed: boolean;
}

/** Dispatches `mention`, with a slot such as "#1" as its detail, to have it in the prompt. */
class ReferencesWidget extends Widget<unknown> {
  #entries: Entry[] = [];
  #names: Names | undefined;
  #database: string | undefined;
  readonly #sheet = h("div", { class: "sheet boxes drawings", role: "group", "aria-label": "Places of the drawings" });
  readonly #rows = h("div", { class: "rows" });
  readonly #search = new NameSearch((name) => this.#add(name));
  readonly #placement = new Placement(() => this.#read());
  readonly #hint = h("small", { class: "hint" });
  readonly #status = h("p", { class: "hint", role: "status" });
  readonly #error = h("p", { class: "error", role: "alert" });
  readonly #reopen = debounce(() => void this.#open(this.#database), 300); // while a name is written
  #file!: HTMLInputElement;

  protected build(): void {
    this.#file = this.#createFile();
    const choose = h("label", { class: "choose", htmlFor: this.#file.id }, icon("image"), "Choose a picture of your own");
    this.#sheet.append(h("p", { class: "sheet-hint" }, "Add a drawing above, or drop a picture here. Then move it."));
    this.#sheet.hidden = !this.#canPlace;
    this.append(
      this.#search.element,
      h("div", { class: "image-actions" }, this.#file, choose),
      this.#error,
      this.#status,
      this.#sheet,
      this.#placement.element,
      this.#rows,
      this.#hint,
    );
    acceptFiles(this, (file) => void this.#take([file]));
    this.#database = this.host.database();
    void this.#open(this.#database);
    this.resize();
  }

  #createFile(): HTMLInputElement {
    const props = { type: "file", accept: TYPES.join(), multiple: true, id: newId("file") };
    const file = h("input", { ...props, class: "visually-hidden" });
    file.addEventListener("input", (event) => {
      event.stopPropagation();
      void this.#take([...(file.files ?? [])]).then(() => {
        file.value = "";
      });
    });
    return file;
  }

  get #canPlace(): boolean {
    return "boxes" in (this.schema.properties ?? {});
  }

  get #most(): number {
    return this.schema.properties?.pictures?.maxItems ?? Number.POSITIVE_INFINITY;
  }

  get #aspect(): number {
    const [width, height] = this.host.size();
    return width / height;
  }

  /** Follow the proportions of the picture, and the database of the request. */
  resize(): void {
    this.#sheet.style.aspectRatio = String(this.#aspect);
    for (const { drawing } of this.#entries) drawing.aspect = this.#aspect;
    const database = this.host.database();
    if (database === this.#database) return;
    this.#database = database;
    this.#reopen();
  }

  /** Load the names of a database, and the drawings that are named. */
  async #open(database: string | undefined): Promise<void> {
    this.#error.textContent = "";
    const names = database === undefined ? undefined : await Names.load(database).catch(() => undefined);
    if (database !== this.#database) return;
    this.#names = names;
    this.#search.names = names;
    this.#number();
    for (const entry of this.#entries) void this.#load(entry);
  }

  async #take(files: File[]): Promise<void> {
    this.#error.textContent = this.#status.textContent = "";
    for (const file of files) {
      try {
        const { source, note } = await readDrawing(file);
        this.#add(source);
        this.#status.textContent = note;
      } catch (error) {
        this.#error.textContent = (error as Error).message;
      }
    }
  }

  /** Take a drawing from a person. */
  #add(source: Source): void {
    if (this.#entries.length >= this.#most) {
      this.#error.textContent = `At most ${this.#most} drawings fit. Remove one first.`;
      return;
    }
    this.#error.textContent = "";
    this.#addEntry(source);
    this.#read();
  }

  /** Where a new drawing is at first: away from the others. */
  get #freeCenter(): [number, number] {
    const others = this.#entries.map(({ drawing }) => centerOf(drawing.pose));
    const distance = ([x, y]: [number, number]): number =>
      Math.min(2, ...others.map((other) => Math.hypot(x - other[0], y - other[1])));
    const [farthest] = [...CENTERS].sort((a, b) => distance(b) - distance(a));
    return farthest ?? [0.5, 0.5];
  }

  #addEntry(source: Source, pose?: Pose): void {
    const start = pose ?? new Poses(SQUARE, this.#aspect).at(this.#freeCenter, SIZE);
    const removed = (): void => this.#drop(entry);
    const changed = (): void => {
      entry.isPosed = true;
      this.#placement.isOwn = true;
      this.#read();
    };
    const drawing = new Drawing(start, this.#aspect, { changed, removed });
    const mentioned = (): void => {
      const slot = `#${this.#entries.indexOf(entry) + 1}`;
      this.dispatchEvent(new CustomEvent("mention", { bubbles: true, detail: slot }));
    };
    const row = new DrawingRow(drawing, this.#canPlace, { removed, mentioned });
    const entry: Entry = { source, drawing, row, isPosed: pose !== undefined };
    drawing.element.addEventListener("focus", () => row.highlight(true));
    drawing.element.addEventListener("blur", () => row.highlight(false));
    this.#entries.push(entry);
    this.#sheet.append(drawing.element);
    this.#rows.append(row.element);
    this.#number();
    void this.#load(entry);
  }

  /** Show what an entry draws. */
  async #load(entry: Entry): Promise<void> {
    const url = isOwn(entry.source) ? entry.source : this.#names?.picture(entry.source);
    if (url === undefined) return;
    entry.row.thumbnail = url;
    try {
      const { drawing } = entry;
      drawing.shape = await Shape.load(url);
      if (!entry.isPosed) drawing.pose = drawing.poses.resized(drawing.pose, SIZE);
      this.#number();
    } catch (error) {
      this.#error.textContent = (error as Error).message;
    }
  }

  #drop(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    this.#entries.splice(index, 1);
    entry.drawing.element.remove();
    entry.row.element.remove();
    this.#read();
    const next = this.#entries[Math.min(index, this.#entries.length - 1)];
    if (next && this.#canPlace) next.drawing.element.focus();
    else this.#file.focus();
  }

  /** Write the slots and the names of all drawings, and what can be done with them. */
  #number(): void {
    this.#entries.forEach(({ source, drawing, row }, index) => {
      const name = isOwn(source) ? OWN : (this.#names?.nameOf(source) ?? String(source));
      drawing.name(`#${index + 1}`, name);
      row.name(`#${index + 1}`, name);
      row.show();
    });
    this.#stack();
    const count = this.#entries.length;
    this.#sheet.classList.toggle("is-empty", count === 0);
    this.#sheet.classList.toggle("is-open", !this.#placement.isOwn);
    this.#placement.element.hidden = count === 0 || !this.#canPlace;
    this.#file.disabled = this.#search.disabled = count >= this.#most;
    this.#hint.textContent = count > 0 ? `${MENTION}${this.#canPlace && this.#placement.isOwn ? ALL_PLACED : ""}` : "";
  }

  /** Lay smaller drawings over larger ones, as the model sees them. */
  #stack(): void {
    const area = ({ drawing }: Entry): number => {
      const [x0, y0, x1, y1] = drawing.pose.box;
      return (x1 - x0) * (y1 - y0);
    };
    const ordered = [...this.#entries].sort((a, b) => area(b) - area(a));
    ordered.forEach(({ drawing }, index) => {
      drawing.element.style.zIndex = String(index + 1);
    });
  }

  #read(): void {
    if (this.#entries.length === 0) this.#placement.isOwn = false;
    this.#number();
    const { isOwn: isPlaced } = this.#placement;
    const poseOf = ({ drawing }: Entry): Pose | undefined => (isPlaced ? drawing.pose : undefined);
    this.change(writeReferences(this.#entries.map((entry) => ({ source: entry.source, pose: poseOf(entry) }))));
  }

  protected show(): void {
    for (const { drawing, row } of this.#entries) {
      drawing.element.remove();
      row.element.remove();
    }
    this.#entries = [];
    this.#error.textContent = this.#status.textContent = "";
    const references = readReferences(this.current, this.schema);
    this.#placement.isOwn = references.some(({ pose }) => pose !== undefined);
    for (const { source, pose } of references) this.#addEntry(source, pose);
    this.#number();
  }
}

customElements.define("studio-references", ReferencesWidget);
