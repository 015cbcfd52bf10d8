// Keeps in this browser what is not sent yet, so that neither a reload nor a new sign-in loses it.
// Each page that is open has a shelf of its own, under a lock that ends with the page: what is on the
// shelf of a page that is gone is taken over, what an open one has is left to it.

export class Shelf {
  #prefix;
  #name;

  /** `owner` is whose the things are, as one text: nobody else's page sees them. */
  constructor(owner) {
    this.#prefix = `labelaudit-outbox-${owner}-`;
    // Names sort by age; the rest tells pages apart that were opened at the same moment.
    this.#name = `${this.#prefix}${Date.now()}-${Math.random().toString(36).slice(2)}`;
    // Browsers have no locks where a page comes without encryption from another machine: there
    // only this tab's own pages take over.
    this.storage = navigator.locks ? localStorage : sessionStorage;
    navigator.locks?.request(this.#name, () => new Promise(() => {}));
  }

  /** Keep these and nothing else; without storage, a page that is left loses them. */
  put(items) {
    try {
      if (items.length) this.storage.setItem(this.#name, JSON.stringify(items));
      else this.storage.removeItem(this.#name);
    } catch {
      // It is full or switched off: the browser asks before it leaves the page.
    }
  }

  /** Give `take(items)` what pages have left that are gone, and later of those that go. */
  takeOver(take) {
    const names = Object.keys(this.storage).filter((name) => name.startsWith(this.#prefix));
    for (const name of names.sort()) {
      if (navigator.locks) navigator.locks.request(name, () => this.#takeOne(name, take));
      else this.#takeOne(name, take);
    }
  }

  #takeOne(name, take) {
    const items = read(this.storage.getItem(name));
    if (items.length) take(items);
    this.storage.removeItem(name);
  }
}

function read(text) {
  try {
    const items = JSON.parse(text ?? "[]");
    return Array.isArray(items) ? items : [];
  } catch {
    return [];
  }
}
