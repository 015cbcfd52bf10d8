// The row of buttons that says which class each digit stands for at the current sample.
import { shortWords, valueOf } from "./values.js";

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
    const texts = record ? this.#texts(record) : [];
    const chances = record ? chancesOf(record) : new Map();
    while (this.element.childElementCount < texts.length) this.#add();
    [...this.element.children].forEach((button, index) => {
      const text = texts[index];
      button.hidden = text === undefined;
      button.children[1].textContent = text ?? "";
      button.title = text ?? "";
      const share = chances.get(text);
      button.lastElementChild.textContent = share === undefined ? "" : `${Math.round(100 * share)} %`;
    });
  }

  /** What people think comes first where they differ; else what the audit thinks. */
  #texts(record) {
    const labels = this.classes.keysFor(record);
    record.opinions.slice(0, labels.length).forEach((opinion, index) => {
      labels[index] = shortWords(valueOf(opinion));
    });
    return labels;
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
    const chance = document.createElement("span");
    chance.className = "class-key__chance";
    button.append(key, document.createElement("bdi"), chance);
    this.element.append(button);
  }
}

/** How probable the audit finds the classes; where people differ, that is not shown. */
function chancesOf({ opinions, suggested, confidence, likely }) {
  if (opinions.length) return new Map();
  return new Map(suggested ? [[suggested, confidence], ...likely] : likely);
}
