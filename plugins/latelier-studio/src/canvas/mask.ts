/** The widget of masks: what is to be repainted, painted over the picture at its own size. */

import { h } from "../dom.ts";
import { registerFormat } from "../form/formats.ts";
import { Widget } from "../form/widget.ts";
import { Painter } from "./painter.ts";
import { isBlackAndWhite, loadPicture, pixelsOf } from "./pictures.ts";
import { encodeGrey } from "./png.ts";
import { acceptFiles, readFile } from "./taking.ts";

const VEIL = [[0, 0, 0, 0], [214, 40, 220, 165]] as const; // kept, repainted
const WHITE = 255;

const WITHOUT_PICTURE = "Choose a picture first, or drop one here. Then paint over it.";
const WITH_PICTURE =
  "What you paint over is drawn again; the rest stays as it is. You can also drop a black and white picture here: what is white in it changes.";

/** Dispatches `picture`, with a data URI as its detail, for a picture that was dropped on it. */
class MaskWidget extends Widget<string> {
  readonly #body = h("div");
  readonly #hint = h("small", { class: "hint" });
  readonly #error = h("p", { class: "error", role: "alert" });
  #picture: string | undefined;
  #painter: Painter | undefined;

  get picture(): string | undefined {
    return this.#picture;
  }

  /** Lay a picture under the mask. The mask of another one is forgotten. */
  set picture(source: string | undefined) {
    if (source === this.#picture) return;
    this.#picture = source;
    this.current = undefined;
    void this.#open();
  }

  protected build(): void {
    this.append(this.#body, this.#hint, this.#error);
    acceptFiles(this, (file) => void this.#take(file));
    void this.#open();
  }

  protected show(): void {
    void this.#load();
  }

  /** Begin a mask for the picture. */
  async #open(): Promise<void> {
    const source = this.#picture;
    if (!this.isConnected) return;
    this.#hint.textContent = source ? WITH_PICTURE : WITHOUT_PICTURE;
    if (!source) {
      this.#painter = undefined;
      this.#body.replaceChildren();
      return;
    }
    const { naturalWidth: width, naturalHeight: height } = await loadPicture(source);
    if (source !== this.#picture) return;
    this.#painter = new Painter({
      width,
      height,
      name: "What changes",
      hint: "Paint over what should change",
      colors: VEIL,
      brush: 1,
      canInvert: true,
      onChange: () => this.#read(),
    });
    this.#painter.backdrop = source;
    this.#body.replaceChildren(this.#painter.element);
    await this.#load();
  }

  /** Take a dropped file: as the mask if it looks like one, else as the picture under it. */
  async #take(file: File): Promise<void> {
    this.#error.textContent = "";
    try {
      const source = await readFile(file);
      if (!this.#painter || !isBlackAndWhite(await loadPicture(source))) {
        this.dispatchEvent(new CustomEvent("picture", { detail: source, bubbles: true }));
        return;
      }
      this.current = source;
      await this.#load();
      this.#read();
    } catch (error) {
      this.#error.textContent = (error as Error).message;
    }
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
      if (value !== this.current || painter !== this.#painter) return;
      labels = labels.map((_, index) => ((pixels[index * 4] ?? 0) > 127 ? 1 : 0));
    }
    painter.painting.apply({ kind: "load", labels });
    painter.draw();
  }
}

customElements.define("studio-mask", MaskWidget);
registerFormat("mask", "studio-mask");
