// What every page needs; a page's own module is added in its block `scripts`.
import "./theme.js";
import "./controls.js";
import { showFailure } from "./toast.js";

// htmx leaves the page as it is when a request fails: say so, and offer another try.
document.addEventListener("htmx:response:error", async (event) => {
  const { response, sourceElement, text } = event.detail.ctx;
  if (response.headers.has("HX-Redirect")) return;
  showFailure(detailOf(text) ?? `The service answered ${response.status}.`, retryOf(sourceElement));
});
let unanswered;
document.addEventListener("htmx:error", (event) => {
  unanswered = showFailure(
    "The service does not answer.",
    retryOf(event.detail.ctx?.sourceElement),
  );
});
document.addEventListener("htmx:after:request", () => unanswered?.remove());

function detailOf(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return undefined;
  }
}

function retryOf(element) {
  // What asks by itself will ask again by itself.
  const repeats = element?.getAttribute("hx-trigger")?.includes("every");
  return element?.isConnected && !repeats ? () => element.click() : undefined;
}
