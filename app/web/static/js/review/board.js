// The tiles of the page that is shown: which one is current, which are selected, how one moves.
export class Board {
  #anchor;

  /** `onMove(tile)` hears of each move and of each change of the selection. */
  constructor(root, onMove) {
    this.root = root;
    this.onMove = onMove;
    this.bind();
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (tile && tile !== this.current) this.#setCurrent(tile, true);
    });
  }

  get page() {
    return this.root.querySelector("#board-page");
  }

  get list() {
    return this.page.querySelector("[role=listbox]");
  }

  /** Take in the tiles of a page that has just come. */
  bind() {
    this.tiles = [...this.page.querySelectorAll(".tile")];
    this.current = undefined;
    this.isChosen = false; // whether the reviewer went to the current tile
    this.#anchor = undefined;
  }

  get selected() {
    return this.tiles.filter((tile) => tile.getAttribute("aria-selected") === "true");
  }

  /** The selected tiles; without a selection the current one. */
  get targets() {
    const selected = this.selected;
    if (selected.length) return selected;
    return this.current ? [this.current] : [];
  }

  get columns() {
    if (!this.list) return 1;
    return getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
  }

  indexOf(tile) {
    return this.tiles.indexOf(tile);
  }

  /**
   * Go to a tile; `extend` selects from where the range began. `isChosen` says that the reviewer
   * asked for this very tile: it did not just come next.
   */
  moveTo(tile, { extend = false, isChosen = extend } = {}) {
    if (!tile) return;
    if (extend) {
      this.#anchor ??= this.current ?? tile;
      this.#select(this.#range(this.#anchor, tile));
    }
    this.#setCurrent(tile, isChosen);
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
  }

  /** Move by so many tiles. Returns whether there was a tile. */
  step(delta, options) {
    const from = this.current ? this.indexOf(this.current) : -1;
    const tile = this.tiles[from + delta];
    this.moveTo(tile, { ...options, isChosen: true });
    return tile !== undefined;
  }

  toggle(tile) {
    this.#anchor = tile;
    const isSelected = tile.getAttribute("aria-selected") === "true";
    tile.setAttribute("aria-selected", String(!isSelected));
    this.onMove(this.current);
  }

  selectAll() {
    this.#select(this.tiles);
  }

  selectNone() {
    this.#anchor = undefined;
    this.#select([]);
  }

  #select(tiles) {
    const wanted = new Set(tiles);
    for (const tile of this.tiles) tile.setAttribute("aria-selected", String(wanted.has(tile)));
    this.onMove(this.current);
  }

  #range(one, other) {
    const [from, to] = [this.indexOf(one), this.indexOf(other)].sort((a, b) => a - b);
    return this.tiles.slice(from, to + 1);
  }

  #setCurrent(tile, isChosen) {
    if (this.current) {
      this.current.tabIndex = -1;
      this.current.classList.remove("is-current");
    }
    this.current = tile;
    this.isChosen = isChosen;
    tile.tabIndex = 0;
    tile.classList.add("is-current");
    this.onMove(tile);
  }

  #click(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    if (event.ctrlKey || event.metaKey) this.toggle(tile);
    else if (!event.shiftKey) this.selectNone();
    this.moveTo(tile, { extend: event.shiftKey, isChosen: true });
  }
}
