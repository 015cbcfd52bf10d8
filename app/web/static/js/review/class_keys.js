// The row of buttons that says which class each digit stands for at the current sample.
export class ClassKeys {
  constructor(classes, onChoose) {
    this.classes = classes;
    this.element = document.getElementById("class-keys");
    this.element.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) onChoose(Number(button.dataset.digit));
    });
  }

  /** Show the classes for a sample; without one, nothing. */
  show(record) {
    const labels = record ? this.classes.keysFor(record) : [];
    while (this.element.childElementCount < labels.length) this.#add();
    [...this.element.children].forEach((button, index) => {
      const label = labels[index];
      button.hidden = label === undefined;
      button.lastElementChild.textContent = label ?? "";
      button.title = label ?? "";
    });
  }

  #add() {
    const digit = this.element.childElementCount + 1;
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.ariaHidden = "true";
    key.textContent = digit;
    button.type = "button";
    button.className = "class-key";
    button.dataset.digit = digit;
    button.append(key, document.createElement("bdi"));
    this.element.append(button);
  }
}
