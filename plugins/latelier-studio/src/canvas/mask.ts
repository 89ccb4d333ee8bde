/** The widget of masks: what is to be repainted, painted over the picture at its own size. */

import { h } from "../dom.ts";
import { registerFormat } from "../form/formats.ts";
import { Widget } from "../form/widget.ts";
import { Painter } from "./painter.ts";
import { loadPicture, pixelsOf } from "./pictures.ts";
import { encodeGrey } from "./png.ts";

const VEIL = [[0, 0, 0, 0], [214, 40, 220, 165]] as const; // kept, repainted
const WHITE = 255;

class MaskWidget extends Widget<string> {
  #picture: string | undefined;
  #painter: Painter | undefined;

  get picture(): string | undefined {
    return this.#picture;
  }

  set picture(source: string | undefined) {
    if (source === this.#picture) return;
    this.#picture = source;
    void this.#open();
  }

  protected build(): void {
    this.append(h("p", { class: "hint" }, "Choose a picture first, then paint over it."));
    void this.#open();
  }

  protected show(): void {
    void this.#load();
  }

  /** Begin a mask for the picture. */
  async #open(): Promise<void> {
    const source = this.#picture;
    if (!this.isConnected) return;
    if (!source) {
      this.#painter = undefined;
      this.replaceChildren(h("p", { class: "hint" }, "Choose a picture first, then paint over it."));
      return;
    }
    const { naturalWidth: width, naturalHeight: height } = await loadPicture(source);
    if (source !== this.#picture) return;
    this.#painter = new Painter({
      width,
      height,
      name: "What changes",
      colors: VEIL,
      brush: 1,
      canInvert: true,
      onChange: () => this.#read(),
    });
    this.#painter.backdrop = source;
    this.replaceChildren(this.#painter.element);
    await this.#load();
  }

  #read(): void {
    if (!this.#painter) return;
    const { painting } = this.#painter;
    const pixels = painting.labels.map((label) => label * WHITE);
    const { width, height } = painting;
    this.change(painting.isEmpty ? undefined : encodeGrey(pixels, width, height));
  }

  /** Put the mask of the value on the surface. */
  async #load(): Promise<void> {
    const painter = this.#painter;
    if (!painter) return;
    const { width, height } = painter.painting;
    const value = this.current;
    if (!value && painter.painting.isEmpty) return;
    let labels = new Uint8Array(width * height);
    if (value) {
      const pixels = pixelsOf(await loadPicture(value), width, height);
      labels = labels.map((_, index) => ((pixels[index * 4] ?? 0) > 127 ? 1 : 0));
    }
    painter.painting.apply({ kind: "load", labels });
    painter.draw();
  }
}

customElements.define("studio-mask", MaskWidget);
registerFormat("mask", "studio-mask");
