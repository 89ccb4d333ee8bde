/** Short messages, which screen readers read out. */

import { h } from "../dom.ts";
import { type IconName, icon } from "../icons.ts";

type Tone = "good" | "soft" | "bad";

/** What `Notice.show` takes. */
export type Message = [tone: Tone, title: string, detail?: string];

/** Return what an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const ICONS: Record<Tone, IconName> = { good: "check", soft: "approx", bad: "warn" };

export class Notice {
  readonly element = h("div", { class: "notice", role: "status", hidden: true });

  /** Show a message until another one comes or the person closes it; `undo` takes back what it is about. */
  show([tone, title, detail = ""]: Message, undo?: () => void): void {
    const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close" });
    close.append(icon("close"));
    close.addEventListener("click", () => this.hide());
    this.element.className = `notice notice-${tone}`;
    this.element.hidden = false;
    this.element.replaceChildren(
      icon(ICONS[tone]),
      h("div", {}, h("strong", {}, title), detail !== "" && h("p", {}, detail)),
      ...(undo ? [h("button", { type: "button", onClick: undo }, icon("undo"), "Undo")] : []),
      close,
    );
  }

  fail(error: unknown): void {
    this.show(["bad", messageOf(error)]);
  }

  hide(): void {
    this.element.hidden = true;
  }
}
