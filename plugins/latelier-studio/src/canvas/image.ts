/** The widget of pictures: dropped, chosen or pasted. */

import { h, newId } from "../dom.ts";
import { registerFormat } from "../form/formats.ts";
import { Widget } from "../form/widget.ts";
import { icon } from "../icons.ts";
import { toDataUri } from "./pictures.ts";

const TYPES = "image/png,image/jpeg,image/webp";

class ImageWidget extends Widget<string> {
  #thumbnail!: HTMLImageElement;
  #remove!: HTMLButtonElement;

  protected build(): void {
    const file = h("input", { type: "file", accept: TYPES, class: "visually-hidden", id: newId("file") });
    file.setAttribute("aria-labelledby", this.labelId);
    file.addEventListener("input", (event) => {
      event.stopPropagation();
      void this.#take(file.files?.[0]);
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
    this.append(this.#thumbnail, h("div", { class: "image-actions" }, file, choose, this.#remove));
    this.addEventListener("dragover", (event) => event.preventDefault());
    this.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation(); // elsewhere on the page a picture gives its settings
      document.dispatchEvent(new Event("dragend"));
      void this.#take(event.dataTransfer?.files[0]);
    });
  }

  async #take(file: File | undefined): Promise<void> {
    if (file && TYPES.split(",").includes(file.type)) this.#set(await toDataUri(file));
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
