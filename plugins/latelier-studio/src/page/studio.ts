/** All parts of the page, and what passes between them. */

import { ApiError, api } from "../api/client.ts";
import type { Model, ModelSummary, PictureSettings, Server } from "../api/types.ts";
import { loadPicture, toDataUri } from "../canvas/pictures.ts";
import { readFile } from "../canvas/taking.ts";
import { Composer } from "../composer/composer.ts";
import type { FormValues } from "../composer/form-values.ts";
import { cropStart } from "../composer/start-picture.ts";
import { h, humanize } from "../dom.ts";
import { loadWidgets } from "../form/plugins.ts";
import { Compare } from "./compare.ts";
import { acceptDrops } from "./drop.ts";
import { Gallery } from "./gallery.ts";
import { Header } from "./header.ts";
import { messageOf, Notice } from "./notice.ts";
import { type Extent, fetchPicture, type PictureActions, type Shown } from "./pictures.ts";
import { judge, requestOf } from "./replay.ts";
import { Stage } from "./stage.ts";
import { Viewer } from "./viewer.ts";

export class Studio implements PictureActions {
  readonly #server: Server;
  readonly #models: ModelSummary[];
  readonly #header: Header;
  readonly #notice = new Notice();
  readonly #viewer = new Viewer(this, this.#notice);
  readonly #stage: Stage;
  readonly #gallery: Gallery | undefined;
  readonly #prompt = h("div", { class: "prompt-place" });
  readonly #panel = h("div", { class: "panel-place" });
  readonly #dialogs = h("div");
  #composer: Composer | undefined;
  #onCancel: (() => void) | undefined;
  /** Whether a request was sent whose job has not begun: the button does not cancel it yet. */
  #isSubmitting = false;
  #choices = 0;
  #opened: File | undefined;
  #shown: Shown | undefined;
  #compare: Compare | undefined;

  /** Build the page. */
  static async open(): Promise<void> {
    const loading = h("p", { class: "loading", role: "status" }, "Opening the studio …");
    document.body.append(loading);
    try {
      const [server, models] = await Promise.all([api.server(), api.models()]);
      const studio = new Studio(server, models);
      await studio.#useModel(server.default_model);
      loading.remove();
      studio.#mount();
      await studio.#resume();
    } catch (error) {
      loading.textContent = messageOf(error);
    }
  }

  private constructor(server: Server, models: ModelSummary[]) {
    this.#server = server;
    this.#models = models;
    this.#header = new Header(
      models,
      (name) => {
        this.#notice.hide();
        void this.#try(() => this.#useModel(name));
      },
      (file) => void this.#try(() => this.#openFile(file)),
    );
    const view = (pictures: Shown[], index: number): void => this.#viewer.open(pictures, index);
    this.#stage = new Stage({
      useSettings: (picture) => this.useSettings(picture),
      startFrom: (picture, extent) => void this.#try(() => this.#startFrom(picture, extent)),
      galleryChanged: () => this.galleryChanged(),
      titleOf: (field) => this.#composer?.titleOf(field) ?? humanize(field),
      shows: (picture) => {
        this.#shown = picture;
        if (this.#composer) this.#composer.shown = picture;
      },
      running: (cancel) => {
        this.#isSubmitting = false;
        this.#onCancel = cancel;
        if (!cancel) this.#leaveOpened();
        if (this.#composer) this.#composer.bar.onCancel = cancel;
      },
      view,
    });
    const compare = (): void =>
      void this.#try(async () => {
        if (this.#composer?.check()) this.#compare?.open(await cropStart(this.#composer.request));
      });
    if (server.has_gallery) this.#gallery = new Gallery({ view, compare }, this.#notice);
  }

  #mount(): void {
    const veil = acceptDrops((file) => void this.#try(() => this.#openFile(file)));
    document.body.append(
      this.#header.element,
      h(
        "main",
        {},
        this.#prompt,
        this.#notice.element,
        h("div", { class: "workspace" }, this.#stage.element, this.#panel),
        this.#gallery?.element ?? "",
      ),
      this.#dialogs,
      this.#viewer.element,
      veil,
    );
    this.#composer?.bar.focus();
    void this.#gallery?.reload();
  }

  /** Follow a job that was begun before the page was opened. */
  async #resume(): Promise<void> {
    const jobs = await api.jobs();
    const unfinished = jobs.find((job) => job.state === "queued" || job.state === "running");
    if (unfinished) await this.#try(() => this.#stage.attach(unfinished, null));
  }

  /** Draw the form of a model, unless another one is chosen while it is loaded. */
  async #useModel(name: string): Promise<void> {
    this.#choices += 1;
    const choice = this.#choices;
    this.#showLoading(name);
    try {
      const model = await api.model(name);
      await loadWidgets(model);
      if (choice === this.#choices) this.#showModel(model);
    } catch (error) {
      if (choice === this.#choices) throw new Error(`${name} cannot be loaded: ${messageOf(error)}`);
    } finally {
      if (choice === this.#choices) this.#showLoading(undefined);
    }
  }

  /** Show the name of the model that is loaded; undefined: that of the form. */
  #showLoading(name: string | undefined): void {
    this.#header.model = name ?? this.#composer?.model ?? "";
    if (this.#composer) this.#composer.bar.loading = name;
  }

  #showModel(model: Model): void {
    const prompt = this.#composer?.bar.prompt ?? "";
    const composer = new Composer(model, this.#server, () => void this.#create());
    composer.bar.prompt = prompt;
    composer.bar.onCancel = this.#onCancel;
    this.#composer = composer;
    this.#compare = new Compare(model, {
      view: (all, index) => this.#viewer.open(all, index),
      galleryChanged: () => this.galleryChanged(),
      explain: (error) => composer.explain(error),
    });
    this.#prompt.replaceChildren(composer.bar.element, composer.bar.ideas);
    this.#panel.replaceChildren(composer.panel);
    composer.shown = this.#shown;
    this.#dialogs.replaceChildren(this.#compare.element);
  }

  async #create(): Promise<void> {
    const composer = this.#composer;
    if (this.#isSubmitting || !composer?.check()) return;
    this.#isSubmitting = true;
    this.#leaveOpened();
    try {
      const request = await cropStart(composer.request);
      await this.#stage.run(request);
    } catch (error) {
      composer.fail(error);
    } finally {
      this.#isSubmitting = false;
    }
  }

  useSettings(picture: Shown): void {
    void this.#try(async () => {
      const undo = await this.#fill(await api.read(await fetchPicture(picture.url)));
      this.#notice.show(["good", "The settings of the picture are in the form."], undo);
    });
  }

  startFrom(picture: Shown, extent: Extent): void {
    void this.#try(async () => {
      const settings = await api.read(await fetchPicture(picture.url));
      this.#composer?.usePrompt(requestOf(settings), picture.drew);
      await this.#startFrom(picture, extent);
    });
  }

  async #startFrom(picture: Shown, extent: Extent): Promise<void> {
    const file = await fetchPicture(picture.url);
    if (picture.drew.length > 0) {
      const request = requestOf(await api.read(file));
      this.#composer?.useReferences(request, picture.drew, extent);
    }
    this.#composer?.startFrom(await toDataUri(file), extent, [picture.width, picture.height]);
  }

  galleryChanged(): void {
    void this.#gallery?.reload();
  }

  /** Show a file, put its settings into the form, and see whether they make it again. */
  async #openFile(file: File): Promise<void> {
    this.#opened = file;
    const source = await readFile(file);
    this.#stage.showBare(source, () => this.#composer?.startFrom(source, "whole"));
    this.#notice.hide();
    try {
      const settings = await api.read(file);
      if (this.#opened !== file) return;
      const undo = await this.#showOpened(source, settings);
      if (settings.is_served) await this.#judge(file, settings, undo);
    } catch (error) {
      if (this.#opened !== file) return;
      if (!(error instanceof ApiError && error.code === "no_provenance")) throw error;
      const why = "It was made elsewhere, or another program saved it again. You can start from it.";
      this.#notice.show(["soft", "This picture has no settings.", why]);
    }
  }

  /** Hide what is said about an opened picture, when another one takes its place. */
  #leaveOpened(): void {
    if (this.#opened) this.#notice.hide();
    this.#opened = undefined;
  }

  /** Show an opened picture and its settings. Return what takes the settings back. */
  async #showOpened(source: string, settings: PictureSettings): Promise<() => void> {
    const { naturalWidth: width, naturalHeight: height } = await loadPicture(source);
    const { seed, drew } = settings;
    const request = requestOf(settings);
    this.#stage.show([{ url: source, seed, width, height, galleryId: null, request, drew, starred: false }], 0);
    return this.#fill(settings);
  }

  /** Show the verdict on a file, unless another picture has taken its place. */
  async #judge(file: File, settings: PictureSettings, undo: () => void): Promise<void> {
    const progress = "Making the picture again, to see whether it comes out the same …";
    this.#notice.show(["soft", "The settings are back.", progress], undo);
    const verdict = await judge(file, settings.request.n ?? 1);
    if (this.#opened === file) this.#notice.show(verdict, undo);
  }

  /** Put the settings of a picture into the form, as far as they fit. Return what brings the former form back. */
  async #fill(settings: PictureSettings): Promise<() => void> {
    const { model } = settings;
    const former = this.#composer;
    const values = former?.values;
    const undo = (): void => void this.#try(() => this.#restore(former?.model, values));
    if (model && settings.is_served) {
      if (this.#composer?.model !== model) await this.#useModel(model);
    } else {
      const known = this.#models.map((each) => each.name).join(", ");
      const detail = `Models here: ${known}. Its settings are in the form as far as they fit.`;
      this.#notice.show(["bad", `The model '${model ?? "unknown"}' of this picture is not here.`, detail], undo);
    }
    if (this.#composer) this.#composer.request = requestOf(settings);
    return undo;
  }

  /** Bring a form back that was replaced. */
  async #restore(model: string | undefined, values: FormValues | undefined): Promise<void> {
    this.#opened = undefined; // nothing is said of it any more
    if (model && this.#composer?.model !== model) await this.#useModel(model);
    if (this.#composer && values) this.#composer.values = values;
    this.#notice.show(["good", "The form is as it was before."]);
    this.#composer?.bar.focus();
  }

  async #try(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#notice.fail(error);
    }
  }
}
