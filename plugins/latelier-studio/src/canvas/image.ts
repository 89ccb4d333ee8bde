/** The widget of pictures: dropped, chosen or pasted. */

import { h, newId } from "../dom.ts";
import { registerFormat } from "../form/formats.ts";
import { Widget } from "../form/widget.ts";
import { icon } from "../icons.ts";
import { acceptFiles, readFile, TYPES } from "./taking.ts";

class ImageWidget extends Widget<string> {
  #thumbnail!: HTMLImageElement;
  #remove!: HTMLButtonElement;
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
    const actions = h("div", { class: "image-actions" }, file, choose, this.#remove);
    this.append(this.#thumbnail, actions, this.#error);
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

  protected show(): void {
    this.#thumbnail.hidden = this.#remove.hidden = !this.current;
    if (this.current) this.#thumbnail.src = this.current;
    else this.#thumbnail.removeAttribute("src");
  }
}

customElements.define("studio-image", ImageWidget);
registerFormat("image", "studio-image");
