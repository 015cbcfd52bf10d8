// What the reviewer did in this sitting, and whether all of it is saved.
export class Tally {
  constructor(job) {
    this.element = document.getElementById("tally");
    this.key = `labelaudit-tally-${job}`;
    this.count = Number(sessionStorage.getItem(this.key) ?? 0);
    this.waiting = 0;
    this.#show();
  }

  add(count) {
    this.count = Math.max(0, this.count + count);
    sessionStorage.setItem(this.key, String(this.count));
    this.#show();
  }

  setWaiting(waiting, isHalted) {
    Object.assign(this, { waiting, isHalted });
    this.#show();
  }

  #show() {
    if (!this.element) return;
    const done = this.count ? `${this.count.toLocaleString("en")} decided in this sitting` : "";
    const unsaved = this.isHalted && this.waiting ? `${this.waiting} not saved` : "";
    this.element.textContent = [done, unsaved].filter(Boolean).join(", ");
    this.element.classList.toggle("is-halted", Boolean(unsaved));
  }
}
