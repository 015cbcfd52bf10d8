// Pages of the queue. Those seen stay in memory, the next one is fetched ahead with its images.
import { signInAgain } from "../api.js";

export class Pager {
  #pages;
  #at = 0;
  #ahead;

  /** `onShow()` is called after another page came in place of the one that was shown. */
  constructor(board, onShow) {
    this.board = board;
    this.onShow = onShow;
    this.isTurning = false; // whether the next page is on its way
    this.#pages = [pageOf(board.page)];
    addEventListener("popstate", () => this.#goTo(location.pathname + location.search));
    this.#prefetch();
  }

  get #current() {
    return this.#pages[this.#at];
  }

  get hasNext() {
    return Boolean(this.#current.next);
  }

  /**
   * Show the next page, unless `isWanted()` says, once it has come, that it is not wanted any more.
   * Returns whether there is one.
   */
  async next(isWanted = () => true) {
    const address = this.#current.next;
    if (!address) return false;
    if (!this.#pages[this.#at + 1]) {
      const page = await this.#fetch(address);
      if (this.#current.next !== address) return true; // somebody pressed twice
      this.#pages[this.#at + 1] ??= page;
    }
    if (!isWanted()) return true;
    this.#show(this.#at + 1);
    history.pushState(null, "", this.#current.address);
    return true;
  }

  /** Show the page before. Returns whether it is still known. */
  previous() {
    if (this.#at === 0) return false;
    this.#show(this.#at - 1);
    history.pushState(null, "", this.#current.address);
    return true;
  }

  /** Fetch the page that is shown anew, and forget all others. */
  async refresh() {
    const page = await fetchPage(this.#current.address);
    const place = this.board.current?.dataset.sample;
    this.#pages = [page];
    this.#show(0, { place });
  }

  /** Show the page, of those seen, that has one of these tiles. Returns whether there is one. */
  showPageOf(ids) {
    const isOn = (page) => ids.some((id) => page.node.querySelector(`#tile-${id}`));
    const index = this.#pages.findIndex(isOn);
    if (index < 0) return false;
    this.#show(index);
    history.pushState(null, "", this.#current.address);
    return true;
  }

  /** Count the samples of the first page of a list: { count, hasMore }. */
  async look(address) {
    const page = await fetchPage(address);
    return { count: page.node.querySelectorAll(".tile").length, hasMore: Boolean(page.next) };
  }

  async #fetch(address) {
    this.isTurning = true;
    try {
      return await (this.#ahead ?? fetchPage(address));
    } finally {
      this.isTurning = false;
    }
  }

  #goTo(address) {
    const index = this.#pages.findIndex((page) => page.address === address);
    if (index < 0) location.reload();
    else this.#show(index);
  }

  #show(index, options) {
    this.board.page.replaceWith(document.adoptNode(this.#pages[index].node));
    this.#at = index;
    this.board.bind();
    this.onShow(options);
    this.#prefetch();
  }

  #prefetch() {
    this.#ahead = undefined;
    const page = this.#current;
    // After the page that is shown: its own images come first.
    requestIdleCallback(() => page === this.#current && this.#fetchAhead(page.next), { timeout: 500 });
  }

  #fetchAhead(address) {
    if (!address || this.#ahead || this.#pages[this.#at + 1]) return;
    const ahead = fetchPage(address);
    this.#ahead = ahead;
    ahead.then(loadImages).catch(() => {
      // Asked for again, and told, when it is wanted.
      if (this.#ahead === ahead) this.#ahead = undefined;
    });
  }
}

function pageOf(node) {
  // The address as the browser writes it, so that it can be found again.
  const { pathname, search } = new URL(node.dataset.address, location);
  return { node, address: pathname + search, next: node.dataset.next };
}

async function fetchPage(address) {
  const headers = { "HX-Request": "true", "HX-Request-Type": "partial", Accept: "text/html" };
  const reply = await fetch(address, { headers });
  if (reply.status === 401) signInAgain();
  if (!reply.ok) throw new Error(`The service answered ${reply.status}.`);
  const parsed = new DOMParser().parseFromString(await reply.text(), "text/html");
  return pageOf(parsed.getElementById("board-page"));
}

function loadImages(page) {
  for (const image of page.node.querySelectorAll(".tile__image")) {
    new Image().src = image.getAttribute("src");
  }
}
