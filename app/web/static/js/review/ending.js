// Where there is nothing left to decide: said in the bar, which is always in sight.

export class Ending {
  constructor(root) {
    this.root = root;
    this.element = document.getElementById("ending"); // the page of a sample has none
    this.title = document.getElementById("ending-title");
    this.text = document.getElementById("ending-text");
    this.start = document.getElementById("ending-start");
  }

  get isShown() {
    return this.element?.hidden === false;
  }

  hide() {
    this.#show(false);
  }

  /** Say that the end is reached; `told` promises { title, text, canGoBack }, which is said then. */
  async show(title, text, told) {
    this.#say({ title, text });
    this.#show(true);
    this.told = told; // what an earlier end promised is not said any more
    const news = await told;
    if (news && this.told === told && this.isShown) this.#say(news);
  }

  #say({ title, text, canGoBack = false }) {
    this.title.textContent = title;
    this.text.textContent = text;
    if (this.start) this.start.hidden = !canGoBack;
  }

  #show(isShown) {
    if (!this.element) return;
    this.element.hidden = !isShown;
    this.root.classList.toggle("is-ended", isShown);
  }
}
