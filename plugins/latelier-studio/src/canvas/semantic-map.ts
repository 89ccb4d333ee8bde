/** The widget of semantic maps: what is where, painted by label. */

import type { Label } from "../api/types.ts";
import { h, humanize } from "../dom.ts";
import { registerFormat } from "../form/formats.ts";
import { Widget } from "../form/widget.ts";
import { colorsOf } from "./label-colors.ts";
import { type Color, Painter } from "./painter.ts";
import { loadPicture, pixelsOf } from "./pictures.ts";
import { encodeGrey } from "./png.ts";

class SemanticMapWidget extends Widget<string> {
  #painter!: Painter;
  #colors: Color[] = [];

  get #labels(): Label[] {
    return this.schema.labels ?? [];
  }

  protected build(): void {
    this.#colors = colorsOf(this.#labels); // labels count from 0
    const [width, height] = this.host.size();
    const first = this.#labels[1] ?? this.#labels[0];
    this.#painter = new Painter({
      width,
      height,
      name: "Map of what is where",
      hint: "Choose above, and paint here",
      colors: this.#colors,
      brush: first?.value ?? 0,
      canInvert: false,
      onChange: () => this.#read(),
    });
    const palette = h(
      "div",
      { class: "palette", role: "radiogroup", "aria-label": "What to paint" },
      ...this.#labels.map((label) => this.#swatch(label, label === first)),
    );
    this.replaceChildren(palette, this.#painter.element);
  }

  #swatch(label: Label, isFirst: boolean): HTMLElement {
    const sample = h("span", { class: "swatch" });
    sample.style.backgroundColor = `rgb(${this.#colors[label.value]?.slice(0, 3).join(" ")})`;
    const radio = h("input", {
      type: "radio",
      name: `${this.labelId}-label`,
      checked: isFirst,
      onInput: (event: Event) => {
        event.stopPropagation();
        this.#painter.use(label.value);
      },
    });
    return h("label", {}, radio, sample, label.name ? humanize(label.name) : `Label ${label.value}`);
  }

  /** Begin again at the size that pictures have now. */
  resize(): void {
    const [width, height] = this.host.size();
    const { painting } = this.#painter;
    if (painting.width === width && painting.height === height) return;
    this.build();
    void this.#load().then((isLoaded) => {
      if (isLoaded && this.current) this.#read();
    });
  }

  #read(): void {
    const { labels, width, height, isEmpty, canUndo } = this.#painter.painting;
    this.change(isEmpty && !canUndo ? undefined : encodeGrey(labels, width, height));
  }

  protected show(): void {
    void this.#load();
  }

  /** Put the map of the value on the surface, and return whether it is there. */
  async #load(): Promise<boolean> {
    const painter = this.#painter;
    const { painting } = painter;
    const value = this.current;
    if (!value) {
      if (!painting.isEmpty) painting.apply({ kind: "fill", label: 0 });
    } else {
      const { width, height } = painting;
      const pixels = pixelsOf(await loadPicture(value), width, height);
      if (value !== this.current || painter !== this.#painter) return false;
      const labels = new Uint8Array(width * height).map((_, index) =>
        this.#labelOf(pixels.subarray(index * 4, index * 4 + 3)),
      );
      painting.apply({ kind: "load", labels });
    }
    painter.draw();
    return true;
  }

  /** Return the label of a pixel: that of its colour, else its grey level. */
  #labelOf(pixel: Uint8ClampedArray): number {
    const [r = 0, g = 0, b = 0] = pixel;
    if (r === g && g === b && r < this.#labels.length) return r;
    const found = this.#colors.findIndex((c) => c && c[0] === r && c[1] === g && c[2] === b);
    return Math.max(0, found);
  }
}

customElements.define("studio-map", SemanticMapWidget);
registerFormat("semantic-map", "studio-map");
