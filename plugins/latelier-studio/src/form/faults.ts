/** Fields at fault: found by the server's name, marked, and brought into view. */

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const CONTROLS = ":is(input, select, textarea)";
const FIELDS = "[data-field], [data-input]";

/** Return the field of a path such as "guidance.scale", or of as much of it as the form has. */
export function findField(form: HTMLElement, path: string): HTMLElement | undefined {
  let found: HTMLElement | undefined;
  for (const name of path.split(".")) {
    const next = [...(found ?? form).querySelectorAll<HTMLElement>(FIELDS)].find(
      (each) =>
        (each.dataset.field ?? each.dataset.input) === name &&
        each.parentElement?.closest(FIELDS) === (found ?? null),
    );
    if (!next) break;
    found = next;
  }
  return found;
}

/** Return the first control of a form whose value its bounds do not allow, and its field. */
export function findInvalid(form: HTMLElement): { field: HTMLElement; control: Control } | undefined {
  const control = form.querySelector<Control>(`${CONTROLS}:invalid:not([hidden] *)`);
  const field = control?.closest<HTMLElement>(FIELDS);
  return control && field ? { field, control } : undefined;
}

/** Return what the form calls a field. */
export function labelOf(field: HTMLElement): string {
  return field.querySelector(".label")?.textContent ?? "";
}

/** Mark controls of a field, by default all of its own, until its value changes. Show them. */
export function markField(field: HTMLElement, controls = controlsOf(field)): void {
  unfold(field);
  for (const control of controls) control.setAttribute("aria-invalid", "true");
  field.addEventListener("input", () => unmarkFields(field), { once: true });
  controls.find(({ type }) => type !== "range")?.focus({ preventScroll: true });
  field.scrollIntoView({ block: "nearest" });
}

/** Bring a part of the form into view, with the focus on its first control. */
export function reveal(part: HTMLElement): void {
  unfold(part);
  part.querySelector<HTMLElement>(`summary, ${CONTROLS}`)?.focus({ preventScroll: true });
  part.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

/** Open all that an element is folded away in, and the element itself. */
function unfold(element: HTMLElement): void {
  let folded = element.closest("details");
  for (; folded; folded = folded.parentElement?.closest("details") ?? null) folded.open = true;
}

/** Remove all marks. */
export function unmarkFields(form: HTMLElement): void {
  for (const each of form.querySelectorAll(`${CONTROLS}[aria-invalid]`)) each.removeAttribute("aria-invalid");
}

function controlsOf(field: HTMLElement): Control[] {
  const all = [...field.querySelectorAll<Control>(CONTROLS)];
  return all.filter((each) => each.closest(FIELDS) === field);
}
