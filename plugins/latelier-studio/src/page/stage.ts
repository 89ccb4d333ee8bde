/** Where a picture comes into being, sharpens, and is looked at. */

import { ApiError, api, follow } from "../api/client.ts";
import type { Job, PictureRequest } from "../api/types.ts";
import { h } from "../dom.ts";
import { type IconName, icon } from "../icons.ts";
import { describeDrew } from "./drew.ts";
import { imageOf, ofJob, type PictureActions, type Shown } from "./pictures.ts";

interface Events extends PictureActions {
  /** Called when a job begins, with what cancels it, and when it has ended. */
  running(cancel: (() => void) | undefined): void;
  /** Return what the form calls a field of the request. */
  titleOf(field: string): string;
  /** Called when another picture is in sight. */
  shows(picture: Shown): void;
  /** Open a picture in the viewer. */
  view(pictures: Shown[], index: number): void;
}

export class Stage {
  readonly element: HTMLElement;
  readonly #frame = h("div", { class: "frame" });
  readonly #status = h("p", { class: "stage-status", role: "status" });
  readonly #bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
  readonly #strip = h("div", { class: "strip" });
  readonly #notes = h("div", { class: "stage-notes", role: "status" });
  readonly #actions = h("div", { class: "stage-actions" });
  readonly #events: Events;
  #pictures: Shown[] = [];
  #warnings: string[] = [];
  #index = 0;

  constructor(events: Events) {
    this.#events = events;
    this.element = h(
      "section",
      { class: "stage", "aria-label": "Picture" },
      this.#frame,
      h("div", { class: "stage-foot" }, this.#bar, this.#status, this.#strip, this.#notes, this.#actions),
    );
    this.#bar.hidden = true;
    this.clear();
  }

  clear(): void {
    this.#pictures = [];
    this.#warnings = [];
    this.#frame.replaceChildren(
      h(
        "div",
        { class: "empty" },
        icon("image"),
        h("p", {}, "Your picture appears here."),
        h("small", {}, "Or drop a picture that was made here, to get its settings back."),
      ),
    );
    this.#showActions();
  }

  /** Say what the picture was shown, and what its request is warned of. */
  #showNotes(): void {
    const drew = describeDrew(this.#pictures[this.#index]?.drew ?? []);
    const warnings = this.#warnings.map((text) => h("p", {}, icon("warn"), this.#nameField(text)));
    this.#notes.replaceChildren(...(drew ? [h("p", {}, drew)] : []), ...warnings);
  }

  /** Return a warning with the title of its field in front: "semantic_map: ..." -> "Painted map: ...". */
  #nameField(warning: string): string {
    return warning.replace(/^(negative )?[a-z_]+(?=: )/, (field) => this.#events.titleOf(field));
  }

  /** Make pictures. */
  async run(request: PictureRequest): Promise<void> {
    await this.attach(await api.submit(request), request);
  }

  /** Follow a job to its pictures. */
  async attach(job: Job, request: PictureRequest | null): Promise<void> {
    this.#pictures = [];
    this.#warnings = [];
    this.#showActions();
    this.#bar.hidden = false;
    this.#bar.removeAttribute("value");
    this.#frame.classList.add("is-running");
    this.#events.running(() => void api.cancel(job.id));
    try {
      const done = await follow(job, (state) => this.#showState(state), (preview) => {
        this.#showPreview(preview.image);
      });
      this.#end(done, request);
    } finally {
      this.#bar.hidden = true;
      this.#frame.classList.remove("is-running");
      this.#events.running(undefined);
    }
  }

  #showState(job: Job): void {
    if (job.state === "queued") {
      this.#status.textContent = job.position ? `Waiting, ${job.position} before you` : "Waiting";
      return;
    }
    if (job.state !== "running") return;
    const batch = job.batches > 1 ? `, part ${job.batch} of ${job.batches}` : "";
    this.#status.textContent = job.steps ? `Step ${job.step} of ${job.steps}${batch}` : "Starting";
    if (job.steps) this.#bar.value = job.progress;
  }

  /** Show an unfinished picture in the same element each time, so that nothing flickers. */
  #showPreview(source: string): void {
    const current = this.#frame.firstElementChild;
    if (current instanceof HTMLImageElement && current.classList.contains("preview")) {
      current.src = source;
      return;
    }
    this.#frame.replaceChildren(h("img", { class: "preview", src: source, alt: "The unfinished picture" }));
  }

  #end(job: Job, request: PictureRequest | null): void {
    if (job.state === "succeeded") {
      this.#warnings = job.warnings;
      this.show(ofJob(job, request), 0);
      this.#events.galleryChanged();
      return;
    }
    this.clear();
    this.#status.textContent = job.state === "cancelled" ? "Cancelled." : "";
    if (job.error) throw ApiError.of(job.error);
  }

  /** Show a picture without settings, and offer to start from it. */
  showBare(source: string, start: () => void): void {
    this.#pictures = [];
    this.#warnings = [];
    this.#frame.replaceChildren(h("img", { src: source, alt: "The opened picture" }));
    this.#status.textContent = "";
    this.#showActions();
    this.#actions.append(h("button", { type: "button", class: "quiet", onClick: start }, icon("image"), "Start from it"));
  }

  /** Show a finished picture of several. */
  show(pictures: Shown[], index: number): void {
    this.#pictures = pictures;
    this.#index = index;
    const picture = pictures[index];
    if (!picture) return;
    const open = (): void => this.#events.view(this.#pictures, this.#index);
    const view = { type: "button", class: "frame-button", "aria-label": "Enlarge the picture" };
    this.#frame.replaceChildren(h("button", { ...view, onClick: open }, imageOf(picture)));
    this.#status.textContent = "";
    this.#showStrip();
    this.#showActions();
    this.#events.shows(picture);
  }

  #showStrip(): void {
    this.#strip.replaceChildren(
      ...(this.#pictures.length < 2 ? [] : this.#pictures).map((picture, index) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(index === this.#index),
            "aria-label": `Picture ${index + 1}, seed ${picture.seed}`,
            onClick: () => this.show(this.#pictures, index),
          },
          imageOf(picture, { alt: "" }),
          h("span", {}, String(picture.seed)),
        ),
      ),
    );
  }

  #showActions(): void {
    const picture = this.#pictures[this.#index];
    this.#actions.replaceChildren();
    if (this.#pictures.length < 2) this.#strip.replaceChildren();
    this.#showNotes();
    if (!picture) return;
    const action = (name: IconName, text: string, act: () => void): HTMLElement =>
      h("button", { type: "button", class: "quiet", onClick: act }, icon(name), text);
    const download = { class: "button quiet", href: picture.url, download: `${picture.seed}.png` };
    this.#actions.append(
      h("span", { class: "seed" }, "Seed ", h("output", {}, String(picture.seed))),
      action("image", "Vary", () => this.#events.startFrom(picture, "whole")),
      action("brush", "Change a part", () => this.#events.startFrom(picture, "part")),
      h("a", download, icon("download"), "Download"),
    );
  }
}
