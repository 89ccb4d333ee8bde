/** All pictures that were made: searched, starred, and loaded as one scrolls. */

import { api } from "../api/client.ts";
import type { GalleryPicture } from "../api/types.ts";
import { debounce, h } from "../dom.ts";
import { icon } from "../icons.ts";
import type { Notice } from "./notice.ts";
import { captionOf, imageOf, ofGallery, type Shown } from "./pictures.ts";

interface Events {
  view(pictures: Shown[], index: number): void;
  compare(): void;
}

const PAUSE = 250; // milliseconds without a key, after which a search begins

export class Gallery {
  readonly element: HTMLElement;
  readonly #grid = h("ul", { class: "grid" });
  readonly #search: HTMLInputElement;
  readonly #starred: HTMLButtonElement;
  readonly #empty = h("p", { class: "gallery-empty", hidden: true });
  readonly #end = h("div", { class: "gallery-end" });
  readonly #observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) void this.#more();
  });
  #pictures: Shown[] = [];
  #next: string | null = null;
  #loading = 0;

  constructor(
    private readonly events: Events,
    private readonly notice: Notice,
  ) {
    this.#search = h("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": "Search the gallery",
      onInput: debounce(() => void this.reload(), PAUSE),
    });
    this.#starred = h("button", { type: "button", class: "quiet star", "aria-pressed": "false" }, icon("star"), "Starred");
    this.#starred.addEventListener("click", () => {
      this.#starred.setAttribute("aria-pressed", String(!this.#onlyStarred));
      void this.reload();
    });
    this.element = h(
      "section",
      { class: "gallery", "aria-labelledby": "gallery-title" },
      h(
        "div",
        { class: "gallery-head" },
        h("h2", { id: "gallery-title" }, "Gallery"),
        this.#search,
        this.#starred,
        h("button", { type: "button", class: "quiet", onClick: () => events.compare() }, icon("grid"), "Compare"),
      ),
      this.#grid,
      this.#empty,
      this.#end,
    );
  }

  get #onlyStarred(): boolean {
    return this.#starred.getAttribute("aria-pressed") === "true";
  }

  /** Show the newest pictures that are asked for. */
  async reload(): Promise<void> {
    const page = await this.#load("");
    if (!page) return;
    this.#pictures = [];
    this.#grid.replaceChildren();
    this.#add(page);
    const isFiltered = this.#search.value !== "" || this.#onlyStarred;
    this.#empty.hidden = this.#pictures.length > 0;
    this.#empty.textContent = isFiltered ? "No picture is like that." : "Pictures that you make are kept here.";
  }

  async #more(): Promise<void> {
    if (!this.#next) return;
    const before = this.#next;
    this.#next = null;
    const page = await this.#load(before);
    if (page) this.#add(page);
  }

  /** Return a page of pictures, unless another was asked for meanwhile. */
  async #load(before: string): Promise<{ pictures: GalleryPicture[]; next: string | null } | null> {
    this.#loading += 1;
    const turn = this.#loading;
    try {
      const search = this.#search.value;
      const page = await api.gallery({ search, starred: this.#onlyStarred, before });
      return turn === this.#loading ? page : null;
    } catch (error) {
      if (turn === this.#loading) this.#next = before || null; // to be asked for again
      this.notice.fail(error);
      return null;
    }
  }

  #add(page: { pictures: GalleryPicture[]; next: string | null }): void {
    this.#next = page.next;
    for (const entry of page.pictures) {
      const picture = ofGallery(entry);
      const index = this.#pictures.push(picture) - 1;
      this.#grid.append(
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              "aria-label": `${captionOf(picture)}, seed ${picture.seed}`,
              title: captionOf(picture),
              onClick: () => this.events.view(this.#pictures, index),
            },
            imageOf(picture, { alt: "", loading: "lazy" }),
            picture.starred && h("span", { class: "badge" }, icon("star")),
          ),
        ),
      );
    }
    this.#observer.unobserve(this.#end); // so that it looks again: the end may still be in sight
    this.#observer.observe(this.#end);
  }
}
