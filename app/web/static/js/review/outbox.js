// Sends one thing after the other: the log's order is the order of the keys that were pressed.
// What cannot be sent stays in front, and everything behind it waits, until it is tried again.
import { Problem } from "../api.js";

const TEMPORARY = new Set([408, 429, 502, 503, 504]);

export class Outbox {
  #tasks = [];
  #isBusy = false;
  #idlers = [];

  /** `onChange(count, isHalted)` hears of each change, `onHalt(error)` of what could not be sent. */
  constructor({ onChange, onHalt }) {
    this.onChange = onChange;
    this.onHalt = onHalt;
    this.isHalted = false;
    addEventListener("online", () => this.retry());
    addEventListener("beforeunload", (event) => {
      if (this.count) event.preventDefault();
    });
  }

  get count() {
    return this.#tasks.length;
  }

  /** Add { send, refused }: `send` may be called again after it failed, `refused` gets a Problem. */
  add(task) {
    this.#tasks.push(task);
    this.#changed();
    this.#work();
  }

  /** Return once everything is sent. */
  async idle() {
    if (this.count) await new Promise((resolve) => this.#idlers.push(resolve));
  }

  retry() {
    if (!this.isHalted) return;
    this.isHalted = false;
    this.#changed();
    this.#work();
  }

  async #work() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#tasks.length && !this.isHalted) await this.#sendFirst();
    this.#isBusy = false;
  }

  async #sendFirst() {
    const task = this.#tasks[0];
    try {
      await task.send();
    } catch (error) {
      if (isTemporary(error)) {
        this.isHalted = true;
        this.#changed();
        this.onHalt(error);
        return;
      }
      await task.refused(error);
    }
    this.#tasks.shift();
    this.#changed();
  }

  #changed() {
    this.onChange(this.count, this.isHalted);
    if (!this.count) this.#idlers.splice(0).forEach((resolve) => resolve());
  }
}

function isTemporary(error) {
  // Not only what was refused for good: without an answer nobody knows whether it has arrived.
  return !(error instanceof Problem) || TEMPORARY.has(error.status) || error.status === 401;
}
