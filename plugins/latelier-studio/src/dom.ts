/** Elements without a framework. */

type Child = Node | string | null | undefined | false;
type Props = Record<string, unknown>;

/**
 * Return a new element. A property `onX` listens to the event x; others are set as properties where
 * the element has them, else as attributes.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2).toLowerCase(), value as EventListener);
    } else if (name === "class") {
      element.className = String(value);
    } else if (name in element && name !== "list" && name !== "form") {
      (element as unknown as Props)[name] = value;
    } else if (value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child): child is Node | string => !!child || child === ""));
  return element;
}

/** Return an id that no other element has. */
export function newId(prefix: string): string {
  count += 1;
  return `${prefix}-${count}`;
}
let count = 0;

/** Return a name of the API as people read it: "class_label" -> "Class label". */
export function humanize(name: string): string {
  const text = name.replaceAll("_", " ").replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Call `action` when it has not been asked for during some milliseconds. */
export function debounce(action: () => void, milliseconds: number): () => void {
  let timer: number | undefined;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(action, milliseconds);
  };
}
