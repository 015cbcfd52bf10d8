// What is known of each sample, by its id: what stands on the service and what is on its way there.
// Tiles come and go with their pages; the records stay.
import { sameValue, valueOf } from "./values.js";

/** One sample: `value` is what the reviewer sees, `saved` what the service has, at `version`. */
class SampleRecord {
  constructor(id, version, value) {
    this.id = id;
    this.version = version;
    this.value = value;
    this.saved = value;
    this.likely = [];
    this.opinions = [];
    this.pending = 0; // decisions that are yet to be answered
    this.isDone = false; // whether the reviewer has decided since the page was loaded
    this.round = 0; // grows with each conflict: what was decided before must not overwrite it
  }

  /** Take in what a tile says of the sample, whatever is decided on it. */
  describe({ dataset }) {
    this.given = dataset.given;
    this.suggested = dataset.suggested || undefined; // hidden from a blind reviewer
    this.confidence = Number(dataset.confidence); // in the suggestion
    this.likely = JSON.parse(dataset.likely ?? "[]"); // [class, probability], falling
    this.opinions = JSON.parse(dataset.opinions ?? "[]"); // of reviewers who differ
    this.isSecond = dataset.second === "yes"; // what the first one decided is not shown
  }
}

/** All samples seen since the page was loaded. */
export class Records {
  #byId = new Map();

  /** Take in the samples of tiles; a tile that is older than what is known shows what is known. */
  bind(tiles) {
    for (const tile of tiles) {
      const { sample: id, version } = tile.dataset;
      const known = this.#byId.get(id);
      const isNews = !known || (!known.pending && Number(version) > known.version);
      const record = isNews ? this.#add(id, Number(version), valueOf(tile.dataset)) : known;
      record.describe(tile);
    }
  }

  get(id) {
    return this.#byId.get(id);
  }

  /** Return the record of a sample that may be on no page, as it stood when it was decided on. */
  recall(id, version, given) {
    const record = this.#byId.get(id) ?? this.#add(id, version, valueOf({}));
    record.given ??= given;
    if (!record.pending) record.version = version;
    return record;
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

  #add(id, version, value) {
    const record = new SampleRecord(id, version, value);
    this.#byId.set(id, record);
    return record;
  }
}
