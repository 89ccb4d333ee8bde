/** The widget of pictures: dropped, chosen or pasted. */

import { h, newId } from "../dom.ts";
import { registerFormat } from "../form/formats.ts";
import { Widget } from "../form/widget.ts";
import { icon } from "../icons.ts";
import { shrinkPicture } from "./pictures.ts";
import { acceptFiles, readFile, TYPES } from "./taking.ts";

class ImageWidget extends Widget<string> {
  #thumbnail!: HTMLImageElement;
  #remove!: HTMLButtonElement;
  readonly #size = h("p", { class: "hint", role: "status" });
  readonly #shrink = h("button", { type: "button", class: "quiet", hidden: true }, "Make it smaller");
  readonly #error = h("p", { class: "error", role: "alert" });

  protected build(): void {
    const file = h("input", { type: "file", accept: TYPES.join(), class: "visually-hidden", id: newId("file") });
    file.setAttribute("aria-labelledby", this.labelId);
    file.addEventListener("input", (event) => {
      event.stopPropagation();
      const [chosen] = file.files ?? [];
      if (chosen) void this.#take(chosen);
      file.value = "";
    });
    this.#thumbnail = h("img", { alt: "The chosen picture", hidden: true });
    this.#remove = h(
      "button",
      { type: "button", class: "quiet", hidden: true, onClick: () => this.#set(undefined) },
      icon("close"),
      "Remove",
    );
    const choose = h("label", { class: "choose", htmlFor: file.id }, icon("image"), "Choose a picture");
    const actions = h("div", { class: "image-actions" }, file, choose, this.#remove, this.#shrink);
    this.#shrink.addEventListener("click", () => void this.#makeSmaller());
    this.#thumbnail.addEventListener("load", () => this.#showSize());
    this.append(this.#thumbnail, actions, this.#size, this.#error);
    acceptFiles(this, (dropped) => void this.#take(dropped));
  }

  async #take(file: File): Promise<void> {
    this.#error.textContent = "";
    try {
      this.#set(await readFile(file));
    } catch (error) {
      this.#error.textContent = (error as Error).message;
    }
  }

  #set(value: string | undefined): void {
    this.change(value);
    this.show();
  }

  /** Say that a condition is larger than the pictures of the model: it may ask for a very large picture. */
  #showSize(): void {
    const { naturalWidth, naturalHeight } = this.#thumbnail;
    const [width, height] = this.host.size();
    const isLarge = this.closest("[data-input]") !== null && naturalWidth * naturalHeight > width * height;
    this.#shrink.hidden = !isLarge;
    this.#size.textContent = isLarge
      ? `It has ${naturalWidth} × ${naturalHeight} pixels, and pictures here have ${width} × ${height}. That may take very long.`
      : "";
  }

  async #makeSmaller(): Promise<void> {
    if (this.current) this.#set(await shrinkPicture(this.current, Math.min(...this.host.size())));
  }

  protected show(): void {
    this.#shrink.hidden = true;
    this.#size.textContent = "";
    this.#thumbnail.hidden = this.#remove.hidden = !this.current;
    if (this.current) this.#thumbnail.src = this.current;
    else this.#thumbnail.removeAttribute("src");
  }
}

customElements.define("studio-image", ImageWidget);
registerFormat("image", "studio-image");
