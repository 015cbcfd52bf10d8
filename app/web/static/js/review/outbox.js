// Sends one thing after the other: the log's order is the order of the keys that were pressed.
// What cannot be sent stays in front, and everything behind it waits, until it is tried again.
import { Problem, session } from "../api.js";

const TEMPORARY = new Set([401, 408, 429]);
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const MAX_ERRORS = 8; // of the service at one and the same step, which may never get through

export class Outbox {
  #tasks = [];
  #isBusy = false;
  #isPaused = false;
  #idlers = [];
  #shelf;
  #numFailures = 0; // in a row
  #timer;

  /**
   * `shelf` keeps what waits. `onChange()` hears of each change, `onTrouble()` of what could not
   * be sent.
   */
  constructor(shelf, { onChange, onTrouble }) {
    Object.assign(this, { onChange, onTrouble });
    this.#shelf = shelf;
    /** Why nothing is sent at the moment; undefined where all is well. */
    this.trouble = undefined;
    addEventListener("online", () => this.retry());
    addEventListener("beforeunload", (event) => {
      // What waits is kept, but not sent before the next page of a review.
      if (this.count && !session.isOver) event.preventDefault();
    });
  }

  get count() {
    return this.#tasks.length;
  }

  /** How many samples have a decision that is yet to be sent. */
  get numDecided() {
    return this.#tasks.reduce((sum, task) => sum + task.numDecided, 0);
  }

  /**
   * Add { send, refused, numDecided, toJSON }: `send` may be called again after it failed,
   * `refused` gets a Problem, `toJSON` says what `resume` needs to make the task anew.
   */
  add(task) {
    this.#tasks.push(task);
    this.#changed();
    this.#work();
  }

  /** Keep what waits as it is now: for tasks that know more of themselves than when they came. */
  keep() {
    this.#shelf.put(this.#tasks);
  }

  /** Return once everything is sent. */
  async idle() {
    if (this.count) await new Promise((resolve) => this.#idlers.push(resolve));
  }

  /**
   * Send what earlier pages could not. `resume(kept)` makes tasks of what they have kept,
   * `onResumed()` hears when some have come.
   */
  takeOver(resume, onResumed) {
    this.#shelf.takeOver((kept) => {
      // It is older than what waits here, but for the one that is on its way.
      this.#tasks.splice(this.#isBusy ? 1 : 0, 0, ...resume(kept));
      this.#changed();
      this.#work();
      onResumed();
    });
  }

  retry() {
    if (!this.#isPaused) return;
    clearTimeout(this.#timer);
    this.#isPaused = false;
    this.#work();
  }

  async #work() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#tasks.length && !this.#isPaused) await this.#sendFirst();
    this.#isBusy = false;
  }

  async #sendFirst() {
    try {
      await this.#settle(this.#tasks[0]);
    } catch (error) {
      return this.#pause(error);
    }
    this.#numFailures = 0;
    this.trouble = undefined;
    this.#tasks.shift();
    this.#changed();
  }

  async #settle(task) {
    try {
      await task.send();
    } catch (error) {
      if (this.#isWorthWaiting(error)) throw error;
      await task.refused(error);
    }
  }

  #pause(error) {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#numFailures, LONGEST_PAUSE_MS);
    this.#numFailures += 1;
    this.#isPaused = true;
    this.trouble = error;
    // Without a session the browser is on its way to the sign-in page.
    if (error.status !== 401) this.#timer = setTimeout(() => this.retry(), pause);
    this.#changed();
    this.onTrouble();
  }

  #isWorthWaiting(error) {
    // Not only what was refused for good: without an answer nobody knows whether it has arrived.
    if (!(error instanceof Problem) || TEMPORARY.has(error.status)) return true;
    return error.status > 500 || (error.status === 500 && this.#numFailures < MAX_ERRORS - 1);
  }

  #changed() {
    this.keep();
    this.onChange();
    if (!this.count) this.#idlers.splice(0).forEach((resolve) => resolve());
  }
}
