// A reviewer's own share: samples that nobody else gets for a while.
import { call } from "../api.js";

const DEFAULTS = { count: "48", minutes: "30", overlap: "0", blind: "" };

export class Share {
  /** What is chosen is kept in this browser, for each audit; the form is on the share's own page. */
  constructor(job) {
    this.url = `/v1/jobs/${job}/claims`;
    this.storeKey = `labelaudit-share-${job}`;
    this.chosen = { ...DEFAULTS, ...read(this.storeKey) };
    this.form = document.getElementById("share-form");
    if (!this.form) return;
    this.#fill();
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", () => this.#choose());
  }

  /** How many the reviewer holds. */
  async count() {
    return (await call("GET", this.url)).items.length;
  }

  /** Take the next samples. Returns how many there were. */
  async take() {
    const { count, minutes, overlap, blind } = this.chosen;
    const body = {
      count: Number(count),
      minutes: Number(minutes),
      overlap: Number(overlap),
      blind: blind === "yes",
    };
    return (await call("POST", this.url, { body })).items.length;
  }

  /** Give back what is held. Returns how many samples that were. */
  async release() {
    return (await call("DELETE", this.url)).num_released;
  }

  /** Tell how many of the tiles that are shown are still to do. */
  show(tiles) {
    const left = tiles.filter((tile) => !tile.dataset.decision).length;
    const place = document.getElementById("share-left");
    if (place) place.textContent = left ? `${left.toLocaleString("en")} left` : "All done";
    for (const time of document.querySelectorAll("#share-until time")) {
      const until = new Date(time.dateTime);
      time.textContent = until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    }
    this.#name();
    return left;
  }

  #fill() {
    for (const [name, value] of Object.entries(this.chosen)) {
      const field = this.form.elements[name];
      if (field?.type === "checkbox") field.checked = value === field.value;
      else if ([...(field?.options ?? [])].some((option) => option.value === value)) field.value = value;
    }
    this.#choose();
  }

  #choose() {
    this.chosen = { ...DEFAULTS, ...Object.fromEntries(new FormData(this.form)) };
    localStorage.setItem(this.storeKey, JSON.stringify(this.chosen));
    const { count, minutes, overlap, blind } = this.form.elements;
    const words = [`${count.value} for ${textOf(minutes)}`];
    if (overlap.value !== "0") words.push(`${textOf(overlap)} seen twice`);
    if (blind.checked) words.push("without suggestion");
    document.getElementById("share-words").textContent = words.join(", ");
    this.#name();
  }

  #name() {
    for (const place of document.querySelectorAll("#share-next, .share-take")) {
      place.textContent = `Take the next ${this.chosen.count}`;
    }
  }
}

function textOf(select) {
  return select.selectedOptions[0].textContent;
}

function read(key) {
  try {
    const known = JSON.parse(localStorage.getItem(key) ?? "{}");
    return Object.fromEntries(Object.entries(known).filter(([, value]) => typeof value === "string"));
  } catch {
    return {};
  }
}
