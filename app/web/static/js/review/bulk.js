// One decision on all samples of a filter: counted and shown first, made after a second look.
import { call } from "../api.js";
import { shortWords, valueOf } from "./values.js";

const REASONS = new Set(["off_topic", "duplicate", "unreadable"]);

export class Bulk {
  /** `make(body)` sends a decision in its turn and returns what became of it. */
  constructor({ dataset, job, make }) {
    Object.assign(this, { job, make, url: `/v1/datasets/${dataset}/decisions` });
    this.dialog = document.getElementById("bulk");
    this.form = document.getElementById("bulk-form");
    this.filter = JSON.parse(this.form.dataset.filter);
    this.preview = document.getElementById("bulk-preview");
    this.count = document.getElementById("bulk-count");
    this.confirm = document.getElementById("bulk-confirm");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#look();
    });
    this.form.addEventListener("input", () => this.#changed());
    this.confirm.addEventListener("click", () => this.#decide());
  }

  open() {
    this.#changed();
    this.dialog.showModal();
  }

  #changed() {
    const isRelabel = this.#what === "relabel";
    document.getElementById("bulk-class-field").hidden = !isRelabel;
    document.getElementById("bulk-class").required = isRelabel;
    this.preview.hidden = true;
  }

  get #what() {
    return document.getElementById("bulk-what").value;
  }

  #body() {
    const minimum = document.getElementById("bulk-min_p").value;
    const filter = { ...this.filter };
    if (minimum) filter.min_p = Number(minimum);
    else delete filter.min_p;
    return { ...this.#decision(), filter, job_id: this.job };
  }

  #decision() {
    const what = this.#what;
    if (what === "accept") return { decision: "relabel", accept_suggestion: true };
    if (REASONS.has(what)) return { decision: "exclude", reason: what };
    if (what !== "relabel") return { decision: what };
    return { decision: what, label: document.getElementById("bulk-class").value };
  }

  async #look() {
    const body = this.#body();
    try {
      const { count, samples } = await call("POST", this.url, { body: { ...body, dry_run: true } });
      this.body = { ...body, expected_count: count };
      this.#show(count, samples);
    } catch (error) {
      this.#tell(error.detail ?? "The service does not answer. Try again.");
    }
  }

  #show(count, samples) {
    const noun = count === 1 ? "sample" : "samples";
    const some = samples.length < count ? " Some of them, drawn at random:" : "";
    this.#tell(count ? `${count.toLocaleString("en")} ${noun} would change.${some}` : "Nothing would change.");
    document.getElementById("bulk-examples").replaceChildren(...samples.map(example));
    this.confirm.hidden = count === 0;
    this.confirm.textContent = `Decide on ${count.toLocaleString("en")} ${noun}`;
  }

  #tell(text) {
    document.getElementById("bulk-examples").replaceChildren();
    this.confirm.hidden = true;
    this.preview.hidden = false;
    this.count.textContent = text;
  }

  async #decide() {
    this.confirm.disabled = true;
    try {
      await this.make(this.body);
      this.dialog.close();
    } catch (error) {
      const hint = error.code === "count_changed" ? " Preview again." : "";
      this.#tell((error.detail ?? "The service does not answer. Preview again to see how it stands.") + hint);
    } finally {
      this.confirm.disabled = false;
    }
  }
}

function example(sample) {
  const item = document.getElementById("bulk-example").content.firstElementChild.cloneNode(true);
  const image = item.querySelector("img");
  image.src = `/v1/samples/${sample.sample_id}/image?size=thumb`;
  image.title = sample.path;
  image.addEventListener("error", () => image.classList.add("is-missing"));
  item.querySelector(".bulk__from").textContent = sample.given_label;
  item.querySelector(".bulk__to").textContent = shortWords(valueOf(sample.to));
  return item;
}
