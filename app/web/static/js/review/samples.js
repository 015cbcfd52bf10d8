// The page of one sample in place of pages of the queue: its neighbours are links.
export class Neighbours {
  get hasNext() {
    return document.getElementById("next-sample") !== null;
  }

  async next() {
    return follow("next-sample");
  }

  previous() {
    return follow("previous-sample");
  }

  /** There is only this one. */
  showPageOf() {
    return false;
  }

  /** Show what was decided since, and what was hidden until then. */
  async refresh() {
    const reply = await fetch(location, { headers: { Accept: "text/html" } });
    if (!reply.ok) return;
    const parsed = new DOMParser().parseFromString(await reply.text(), "text/html");
    document.getElementById("story").replaceWith(parsed.getElementById("story"));
  }
}

function follow(id) {
  const link = document.getElementById(id);
  link?.click();
  return link !== null;
}
