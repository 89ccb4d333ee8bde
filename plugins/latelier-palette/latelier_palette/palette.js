/**
 * The widget of palettes on pages such as latelier-studio: colour wells, and how much of each.
 *
 * An ES module whose default export is the class of a custom element: a page sets `schema`, `value`
 * and `labelId`, and hears `input`.
 */

const MOST = 8;
const FIRST = ["#1d3557", "#e63946", "#f1c453", "#2a9d8f", "#f4f1de", "#6d597a", "#3d405b", "#81b29a"];

export default class PaletteElement extends HTMLElement {
  schema = {};
  labelId = "";
  #colors = [];
  #shares = null;

  get value() {
    if (this.#colors.length === 0) return undefined;
    return { colors: [...this.#colors], ...(this.#shares && { shares: this.#normalized() }) };
  }

  set value(value) {
    const { colors = [], shares = null } = Array.isArray(value) ? { colors: value } : (value ?? {});
    this.#colors = [colors].flat();
    this.#shares = shares && [...shares];
    if (this.isConnected) this.#draw();
  }

  connectedCallback() {
    Object.assign(this.style, { display: "grid", gap: "0.5rem", justifyItems: "start" });
    this.#draw();
  }

  /** Return shares that add up to 1 at most. */
  #normalized() {
    const sum = this.#shares.reduce((total, share) => total + share, 0);
    return this.#shares.map((share) => Math.max(0.01, Math.floor((share / sum) * 100) / 100));
  }

  #changed(isRedrawn) {
    if (isRedrawn) this.#draw();
    this.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #draw() {
    const rows = this.#colors.map((color, index) => this.#row(color, index));
    const add = button("Add a colour", () => {
      this.#colors.push(FIRST[this.#colors.length] ?? "#888888");
      this.#shares?.push(0.2);
      this.#changed(true);
    });
    add.hidden = this.#colors.length >= MOST;
    const amounts = input("checkbox", "Choose how much of each");
    amounts.checked = this.#shares !== null;
    amounts.addEventListener("input", () => {
      this.#shares = amounts.checked ? this.#colors.map(() => 1 / this.#colors.length) : null;
      this.#changed(true);
    });
    const label = element("label", "", amounts, "Choose how much of each");
    Object.assign(label.style, { display: "flex", gap: "0.5rem", alignItems: "center" });
    label.hidden = this.#colors.length === 0;
    this.replaceChildren(...rows, label, add);
  }

  #row(color, index) {
    const well = input("color", `Colour ${index + 1}`);
    well.value = color;
    well.addEventListener("input", () => {
      this.#colors[index] = well.value;
      this.#changed(false);
    });
    const row = element("div", "", well);
    Object.assign(row.style, { display: "flex", gap: "0.5rem", alignItems: "center", width: "100%" });
    if (this.#shares) {
      const share = input("range", `Amount of colour ${index + 1}`);
      Object.assign(share, { min: 0.01, max: 1, step: 0.01 });
      share.value = this.#shares[index];
      share.addEventListener("input", () => {
        this.#shares[index] = share.valueAsNumber;
        this.#changed(false);
      });
      row.append(share);
    }
    const remove = button("×", () => {
      this.#colors.splice(index, 1);
      this.#shares?.splice(index, 1);
      this.#changed(true);
    });
    remove.setAttribute("aria-label", `Remove colour ${index + 1}`);
    row.append(remove);
    return row;
  }
}

function element(tag, name, ...children) {
  const found = document.createElement(tag);
  found.className = name;
  found.append(...children);
  return found;
}

function input(type, label) {
  const found = document.createElement("input");
  found.type = type;
  found.setAttribute("aria-label", label);
  found.addEventListener("input", (event) => event.stopPropagation());
  return found;
}

function button(text, action) {
  const found = element("button", "quiet", text);
  found.type = "button";
  found.addEventListener("click", action);
  return found;
}
