// What the reviewer did in this sitting, and whether all of it is saved.
export class Tally {
  /** What waits in the outbox is counted, but noted only once it is saved. */
  constructor(job, outbox) {
    this.outbox = outbox;
    this.element = document.getElementById("tally"); // the page of a sample has none
    this.atEnd = document.getElementById("ending-saved");
    this.key = `labelaudit-tally-${job}`;
    this.count = Number(sessionStorage.getItem(this.key) ?? 0);
    this.show();
  }

  /** Note that so many more decisions are saved, or fewer where some were undone. */
  add(count) {
    this.count = Math.max(0, this.count + count);
    sessionStorage.setItem(this.key, String(this.count));
    this.show();
  }

  show() {
    if (!this.element) return;
    const { count: waiting, numDecided, trouble } = this.outbox;
    const decided = this.count + numDecided;
    const done = decided ? `${decided.toLocaleString("en")} decided` : "";
    const unsaved = trouble ? `${waiting} not saved` : "";
    this.element.textContent = [done, unsaved].filter(Boolean).join(", ");
    this.element.classList.toggle("is-halted", Boolean(unsaved));
    const rest = waiting ? `, ${waiting} ${trouble ? "not" : "being"} saved` : "";
    this.atEnd.textContent = `${decided.toLocaleString("en")} decided in this sitting${rest}.`;
  }
}
