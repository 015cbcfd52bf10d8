// How a sample's record looks on its tile.
import { shortWords } from "./values.js";

/** Show on a tile what is decided and whether that is saved. */
export function show(tile, record) {
  const { value, pending } = record;
  tile.dataset.decision = value.decision ?? "";
  tile.dataset.state = pending ? "pending" : "saved";
  const text = value.decision ? shortWords(value) : "";
  tile.querySelector(".tile__decision").textContent = text;
}

/** Find the tile of a sample on the page that is shown. */
export function tileOf(id) {
  return document.getElementById(`tile-${id}`);
}
