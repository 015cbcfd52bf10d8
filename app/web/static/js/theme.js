// The switch between light and dark. The choice is a cookie, so that the server writes it into
// the next page and nothing flashes.
const system = matchMedia("(prefers-color-scheme: dark)");

function current() {
  return document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
}

function choose(theme) {
  document.documentElement.dataset.theme = theme;
  document.cookie = `labelaudit_theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  describe();
}

function describe() {
  const next = current() === "dark" ? "light" : "dark";
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.title = `Use ${next} colours`;
    button.setAttribute("aria-label", button.title);
  }
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-switch]")) choose(current() === "dark" ? "light" : "dark");
});
system.addEventListener("change", describe);
describe();
