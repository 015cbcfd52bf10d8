// The message about what is not saved. Once closed it stays away until all is well again.
import { retell, showFailure } from "../toast.js";

export class Complaint {
  constructor(outbox) {
    this.outbox = outbox;
  }

  /** Say that something could not be sent. */
  raise() {
    this.toast ??= showFailure(this.#words, () => {
      this.toast = undefined;
      this.outbox.retry();
    });
  }

  /** Say how it stands now; nothing where all is well. */
  update() {
    if (this.toast?.isConnected) retell(this.toast, this.#words);
    if (this.outbox.trouble) return;
    this.toast?.remove();
    this.toast = undefined;
  }

  get #words() {
    const { count, trouble } = this.outbox;
    const steps = count === 1 ? "Your last step is" : `Your last ${count} steps are`;
    const why = trouble?.detail ?? "The service does not answer.";
    return `${steps} not saved: ${why} Kept in this browser and tried again.`;
  }
}
