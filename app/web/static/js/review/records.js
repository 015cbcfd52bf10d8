// What is known of each sample, by its id: what stands on the service and what is on its way there.
// Tiles come and go with their pages; the records stay.
import { sameValue, valueOf } from "./values.js";

/** One sample: `value` is what the reviewer sees, `saved` what the service has, at `version`. */
class SampleRecord {
  constructor(tile) {
    this.id = tile.dataset.sample;
    this.given = tile.dataset.given;
    this.suggested = tile.dataset.suggested || undefined; // hidden from a blind reviewer
    this.confidence = Number(tile.dataset.confidence); // in the suggestion
    this.likely = JSON.parse(tile.dataset.likely ?? "[]"); // [class, probability], falling
    this.opinions = JSON.parse(tile.dataset.opinions ?? "[]"); // of reviewers who differ
    this.isSecond = tile.dataset.second === "yes"; // what the first one decided is not shown
    this.version = Number(tile.dataset.version);
    this.value = valueOf(tile.dataset);
    this.saved = this.value;
    this.pending = 0; // decisions that are yet to be answered
    this.isDone = false; // whether the reviewer has decided since the page was loaded
    this.round = 0; // grows with each conflict: what was decided before must not overwrite it
  }
}

/** All samples seen since the page was loaded. */
export class Records {
  #byId = new Map();

  /** Take in the samples of tiles; a tile that is older than what is known shows what is known. */
  bind(tiles) {
    for (const tile of tiles) {
      const known = this.#byId.get(tile.dataset.sample);
      const isNews = !known || (!known.pending && Number(tile.dataset.version) > known.version);
      if (isNews) this.#byId.set(tile.dataset.sample, new SampleRecord(tile));
    }
  }

  get(id) {
    return this.#byId.get(id);
  }

  /** Note what the service says of a sample, if that is news. Returns the record, if there is one. */
  learn(id, version, value) {
    const record = this.#byId.get(id);
    if (!record || version < record.version) return undefined;
    record.version = version;
    record.saved = value;
    if (!record.pending || sameValue(record.value, value)) record.value = value;
    return record;
  }
}
