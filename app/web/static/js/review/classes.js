// The classes of the data set: nine keys for the likeliest, a search for all of them.
import { call } from "../api.js";

const NUM_SLOTS = 7; // keys 3 to 9; 1 is the suggestion, 2 the given label
const NUM_KEYS = NUM_SLOTS + 2;
const NUM_LIKELY = 5; // so that what was picked by search keeps keys too
const MAX_SHOWN = 50;

export class Classes {
  /** `onReady()` is called once the names are known, `onFail()` where they cannot be fetched. */
  constructor(dataset, { onReady, onFail }) {
    this.names = [];
    this.folded = [];
    this.slots = [];
    this.storeKey = `labelaudit-classes-${dataset}`;
    this.used = read(this.storeKey);
    const takeIn = (reply) => {
      this.names = reply.classes;
      this.folded = this.names.map(fold);
      this.#fillSlots();
      for (const list of document.querySelectorAll("datalist#class-names")) {
        list.replaceChildren(...this.names.map((name) => new Option(name, name)));
      }
      onReady();
    };
    this.ready = call("GET", `/v1/datasets/${dataset}`).then(takeIn, onFail);
  }

  /**
   * The labels that the digits stand for at a sample; a digit may stand for none.
   *
   * 1 is the suggestion, 2 the given label. Then come other probable classes, and what this
   * reviewer picked by search; without probabilities, classes that keep their place.
   */
  keysFor(record) {
    const first = [record.suggested, record.given];
    if (!record.likely.length) {
      return [...first, ...this.slots.map((name) => (first.includes(name) ? undefined : name))];
    }
    const likely = record.likely.map(([name]) => name).slice(0, NUM_LIKELY);
    const others = new Set([...likely, ...this.slots]);
    return [...first, ...[...others].filter((name) => !first.includes(name))].slice(0, NUM_KEYS);
  }

  /** Note that a class was picked by search: it gets the key that was not used for the longest. */
  use(name) {
    this.used = [name, ...this.used.filter((each) => each !== name)].slice(0, NUM_SLOTS);
    localStorage.setItem(this.storeKey, JSON.stringify(this.used));
    if (this.slots.includes(name)) return;
    const age = (each) => (this.used.includes(each) ? this.used.indexOf(each) : Infinity);
    const oldest = this.slots.reduce((one, other) => (age(other) > age(one) ? other : one));
    this.slots[this.slots.indexOf(oldest)] = name;
  }

  /** Classes that match, best first: from their start, from a word's start, anywhere. */
  search(text) {
    const wanted = fold(text.trim());
    const found = [[], [], []];
    this.folded.forEach((name, index) => {
      const at = name.indexOf(wanted);
      if (at < 0) return;
      const isWord = at > 0 && /[^\p{L}\p{N}]/u.test(name[at - 1]);
      found[at === 0 ? 0 : isWord ? 1 : 2].push(this.names[index]);
    });
    const all = found.flat();
    return { shown: all.slice(0, MAX_SHOWN), total: all.length };
  }

  #fillSlots() {
    // Of few classes each has its place in the list; of many, those that were used come first.
    const used = this.used.filter((name) => this.names.includes(name));
    const others = this.names.filter((name) => !used.includes(name));
    const isFew = this.names.length <= NUM_SLOTS;
    this.slots = isFew ? [...this.names] : [...used, ...others].slice(0, NUM_SLOTS);
  }
}

function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function read(key) {
  try {
    const names = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}
