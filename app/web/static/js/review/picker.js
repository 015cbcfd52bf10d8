// The search over all classes: type, go up and down, Enter.
export class Picker {
  constructor(classes, onPick) {
    this.classes = classes;
    this.onPick = onPick;
    this.dialog = document.getElementById("class-picker");
    this.input = document.getElementById("class-search");
    this.list = document.getElementById("class-matches");
    this.count = document.getElementById("class-count");
    this.input.addEventListener("input", () => this.#find());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("click", (event) => this.#pick(event.target.closest("[role=option]")));
  }

  async open() {
    this.input.value = "";
    this.dialog.showModal();
    this.input.focus();
    await this.classes.ready;
    this.#find();
  }

  #find() {
    const { shown, total } = this.classes.search(this.input.value);
    this.options = shown.map((name, index) => option(name, index));
    this.list.replaceChildren(...this.options);
    this.count.textContent =
      total > shown.length ? `The first ${shown.length} of ${total}: type on` : `${total} found`;
    this.#point(0);
  }

  #point(index) {
    const last = this.options.length - 1;
    this.at = Math.max(0, Math.min(index, last));
    this.options.forEach((each, place) =>
      each.setAttribute("aria-selected", String(place === this.at)),
    );
    const current = this.options[this.at];
    if (!current) return this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-activedescendant", current.id);
    current.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in moves) this.#point(this.at + moves[event.key]);
    else if (event.key === "Enter") this.#pick(this.options[this.at]);
    else return;
    event.preventDefault();
  }

  #pick(chosen) {
    if (!chosen) return;
    this.dialog.close();
    this.onPick(chosen.dataset.name);
  }
}

function option(name, index) {
  const element = document.createElement("div");
  element.className = "picker__option";
  element.id = `class-match-${index}`;
  element.role = "option";
  element.dataset.name = name;
  element.append(document.createElement("bdi"));
  element.firstChild.textContent = name;
  return element;
}
