// Pages of the queue. Those seen stay in memory, the next one is fetched ahead with its images.
export class Pager {
  #pages;
  #at = 0;
  #ahead;

  /** `onShow()` is called after another page came in place of the one that was shown. */
  constructor(board, onShow) {
    this.board = board;
    this.onShow = onShow;
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

  /** Show the next page. Returns whether there is one. */
  async next() {
    const address = this.#current.next;
    if (!address) return false;
    if (!this.#pages[this.#at + 1]) {
      const page = await (this.#ahead ?? fetchPage(address));
      if (this.#current.next !== address) return true; // somebody pressed twice
      this.#pages[this.#at + 1] ??= page;
    }
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
    this.#pages = [await fetchPage(this.#current.address)];
    this.#show(0);
  }

  #goTo(address) {
    const index = this.#pages.findIndex((page) => page.address === address);
    if (index < 0) location.reload();
    else this.#show(index);
  }

  #show(index) {
    this.board.page.replaceWith(document.adoptNode(this.#pages[index].node));
    this.#at = index;
    this.board.bind();
    this.onShow();
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
  if (reply.status === 401) location.reload(); // leads to the sign-in page and back
  if (!reply.ok) throw new Error(`The service answered ${reply.status}.`);
  const parsed = new DOMParser().parseFromString(await reply.text(), "text/html");
  return pageOf(parsed.getElementById("board-page"));
}

function loadImages(page) {
  for (const image of page.node.querySelectorAll(".tile__image")) {
    new Image().src = image.getAttribute("src");
  }
}
