// How the board looks: its number of columns, or one large image.
const MAX_COLUMNS = 8;
const FOREVER = 31536000;

export class View {
  constructor(board) {
    this.board = board;
    this.output = document.getElementById("columns");
    this.switch = document.getElementById("single-switch");
    this.columns = Number(this.output?.textContent ?? 1);
    this.isSingle = sessionStorage.getItem("labelaudit-single") === "yes" && this.switch !== null;
    this.apply();
    addEventListener("resize", () => this.#tell());
  }

  /** How many columns there are: a narrow screen has fewer than were chosen. */
  get #shown() {
    return this.isSingle || !this.board.list ? this.columns : this.board.columns;
  }

  /** Use more or fewer columns; remembered in a cookie, so that the next page comes that way. */
  addColumns(delta) {
    const before = this.columns;
    const wanted = Math.max(1, Math.min(MAX_COLUMNS, this.#shown + delta));
    this.columns = wanted;
    this.setSingle(false);
    if (this.#shown < wanted) {
      // As many as fit: what was chosen for a wider screen stays.
      this.columns = before;
      return this.apply();
    }
    document.cookie = `labelaudit_columns=${wanted}; path=/; max-age=${FOREVER}; samesite=lax`;
  }

  setSingle(isSingle) {
    this.isSingle = isSingle;
    sessionStorage.setItem("labelaudit-single", isSingle ? "yes" : "no");
    this.apply();
  }

  /** Make the page that is shown look as chosen. */
  apply() {
    const { list, root, current } = this.board;
    if (!this.switch) return;
    root.classList.toggle("is-single", this.isSingle);
    this.switch.setAttribute("aria-pressed", String(this.isSingle));
    if (list) list.className = `board board--${this.columns}`;
    this.#tell();
    if (this.isSingle && current) this.enlarge(current);
    current?.scrollIntoView({ block: "nearest" });
  }

  #tell() {
    if (this.output) this.output.textContent = this.#shown;
  }

  /** In the single view, show a tile's whole image, and load the next one's. */
  enlarge(tile) {
    if (!this.isSingle) return;
    const image = tile.querySelector(".tile__image");
    if (image) image.src = image.dataset.full;
    const next = tile.nextElementSibling?.querySelector(".tile__image");
    if (next) new Image().src = next.dataset.full;
  }
}
