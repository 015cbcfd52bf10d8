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
  }

  /** Use more or fewer columns; remembered in a cookie, so that the next page comes that way. */
  addColumns(delta) {
    this.columns = Math.max(1, Math.min(MAX_COLUMNS, this.columns + delta));
    document.cookie = `labelaudit_columns=${this.columns}; path=/; max-age=${FOREVER}; samesite=lax`;
    this.setSingle(false);
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
    this.output.textContent = this.columns;
    if (list) list.className = `board board--${this.columns}`;
    if (this.isSingle && current) this.enlarge(current);
    current?.scrollIntoView({ block: "nearest" });
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
