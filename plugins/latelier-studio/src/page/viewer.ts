/** A picture in large, with its settings and what can be done with it. */

import { api } from "../api/client.ts";
import { h, humanize } from "../dom.ts";
import { bareName } from "../form/named.ts";
import { type IconName, icon } from "../icons.ts";
import { describeDrew } from "./drew.ts";
import type { Notice } from "./notice.ts";
import { captionOf, imageOf, type PictureActions, type Shown } from "./pictures.ts";

export class Viewer {
  readonly element: HTMLDialogElement;
  readonly #body = h("div", { class: "viewer-body" });
  #pictures: Shown[] = [];
  #index = 0;

  constructor(
    private readonly actions: PictureActions,
    private readonly notice: Notice,
  ) {
    const close = h("button", { type: "button", class: "icon-button close", "aria-label": "Close" });
    close.append(icon("close"));
    close.addEventListener("click", () => this.element.close());
    this.element = h("dialog", { class: "viewer", "aria-label": "Picture" }, close, this.#body);
    this.element.addEventListener("click", (event) => {
      if (event.target === this.element) this.element.close();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#move(-1);
      if (event.key === "ArrowRight") this.#move(1);
    });
  }

  open(pictures: Shown[], index: number): void {
    this.#pictures = pictures;
    this.#index = index;
    this.#show();
    if (!this.element.open) this.element.showModal();
  }

  #move(step: number): void {
    const index = this.#index + step;
    if (index < 0 || index >= this.#pictures.length) return;
    this.#index = index;
    this.#show();
  }

  #show(): void {
    const picture = this.#pictures[this.#index];
    if (!picture) return;
    const count = this.#pictures.length;
    const arrow = (step: number, name: IconName, label: string): HTMLElement =>
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": label,
          disabled: this.#index + step < 0 || this.#index + step >= count,
          onClick: () => this.#move(step),
        },
        icon(name),
      );
    this.#body.replaceChildren(
      h("div", { class: "viewer-picture" }, imageOf(picture)),
      h(
        "div",
        { class: "viewer-side" },
        h("h2", {}, captionOf(picture)),
        h("p", { class: "hint", hidden: picture.drew.length === 0 }, describeDrew(picture.drew)),
        describe(picture),
        this.#buttons(picture),
        count > 1 &&
          h(
            "div",
            { class: "viewer-arrows" },
            arrow(-1, "left", "Previous picture"),
            h("span", {}, `${this.#index + 1} of ${count}`),
            arrow(1, "right", "Next picture"),
          ),
      ),
    );
  }

  #buttons(picture: Shown): HTMLElement {
    const button = (name: IconName, text: string, act: () => void): HTMLElement =>
      h("button", { type: "button", onClick: act }, icon(name), text);
    const leave = (act: () => void) => (): void => {
      this.element.close();
      act();
    };
    const { actions } = this;
    const download = { class: "button", href: picture.url, download: `${picture.seed}.png` };
    const list = h(
      "div",
      { class: "viewer-buttons" },
      button("undo", "Use its settings", leave(() => actions.useSettings(picture))),
      button("image", "Vary", leave(() => actions.startFrom(picture, "whole"))),
      button("brush", "Change a part", leave(() => actions.startFrom(picture, "part"))),
      h("a", download, icon("download"), "Download"),
    );
    if (picture.galleryId) list.append(this.#starButton(picture), this.#deleteButton(picture));
    return list;
  }

  #starButton(picture: Shown): HTMLElement {
    const text = h("span");
    const show = (): void => {
      text.textContent = picture.starred ? "Starred" : "Star";
      button.setAttribute("aria-pressed", String(picture.starred));
    };
    const button = h("button", { type: "button", class: "star" }, icon("star"), text);
    button.addEventListener("click", () => {
      void this.#try(async () => {
        const entry = await api.star(picture.galleryId ?? "", !picture.starred);
        picture.starred = entry.starred;
        show();
        this.actions.galleryChanged();
      });
    });
    show();
    return button;
  }

  /** Return a button that asks once more before it deletes. */
  #deleteButton(picture: Shown): HTMLElement {
    const text = h("span", {}, "Delete");
    const button = h("button", { type: "button", class: "delete" }, icon("trash"), text);
    let isSure = false;
    button.addEventListener("blur", () => {
      isSure = false;
      text.textContent = "Delete";
    });
    button.addEventListener("click", () => {
      if (!isSure) {
        isSure = true;
        text.textContent = "Really delete?";
        return;
      }
      void this.#try(async () => {
        await api.remove(picture.galleryId ?? "");
        this.element.close();
        this.actions.galleryChanged();
      });
    });
    return button;
  }

  async #try(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.element.close();
      this.notice.fail(error);
    }
  }
}

/** Return the settings of a picture as a list. */
function describe(picture: Shown): HTMLElement {
  const { request } = picture;
  const { sampler, guidance } = request ?? {};
  const rows: [string, unknown][] = [
    ["seed", picture.seed],
    ["size", `${picture.width} × ${picture.height}`],
    ["model", request?.model],
    ["steps", request?.steps],
    ["sampler", sampler && bareName(sampler.name)],
    ["guidance", guidance && `${bareName(guidance.name)} ${guidance.options.scale ?? ""}`],
  ];
  const given = rows.filter(([, value]) => value !== undefined && value !== null);
  return h(
    "dl",
    {},
    ...given.flatMap(([name, value]) => [h("dt", {}, humanize(name)), h("dd", {}, String(value))]),
  );
}
