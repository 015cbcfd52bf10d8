// Somebody else decided first: both choices beside each other, one conflict at a time.
import { call } from "../api.js";
import { words } from "./values.js";

export class Conflicts {
  #waiting = [];

  /** `onUse(record, value)` is called where the reviewer insists, `onClose()` after the last one. */
  constructor(dataset, { onUse, onClose }) {
    Object.assign(this, { dataset, onUse, onClose });
    this.dialog = document.getElementById("conflict");
    this.use = document.getElementById("conflict-use");
    document.getElementById("conflict-keep").addEventListener("click", () => this.dialog.close());
    this.use.addEventListener("click", () => {
      const { record, mine } = this.#waiting[0];
      this.dialog.close();
      this.onUse(record, mine);
    });
    this.dialog.addEventListener("close", () => {
      this.#waiting.shift();
      if (this.#waiting.length) this.#show();
      else this.onClose();
    });
  }

  add(record, mine) {
    this.#waiting.push({ record, mine });
    if (this.#waiting.length === 1) this.#show();
  }

  #show() {
    const { record, mine } = this.#waiting[0];
    document.getElementById("conflict-theirs").textContent = words(record.saved);
    document.getElementById("conflict-mine").textContent = words(mine);
    this.#tellWho(record);
    // Another dialog may be open: this one then comes to lie on top.
    this.dialog.showModal();
  }

  async #tellWho(record) {
    const place = document.getElementById("conflict-who");
    place.textContent = "";
    const url = `/v1/datasets/${this.dataset}/decisions?sample_id=${record.id}&sort=-id&limit=1`;
    const { items } = await call("GET", url).catch(() => ({ items: [] }));
    if (!items.length) return;
    const [{ who, at }] = items;
    place.textContent = `${who ? `by ${who}, ` : ""}${new Date(at).toLocaleTimeString()}`;
  }
}
