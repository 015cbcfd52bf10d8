// The report: its chart, and printing.
import "./loss-chart.js";

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-prints]")) print();
});

// Paper is light: draw the chart once more in its colours.
for (const [name, theme] of [["beforeprint", "light"], ["afterprint", undefined]]) {
  addEventListener(name, () => {
    const root = document.documentElement;
    if (theme) root.dataset.themeBefore = root.dataset.theme ?? "";
    const wanted = theme ?? root.dataset.themeBefore;
    if (wanted) root.dataset.theme = wanted;
    else delete root.dataset.theme;
    document.dispatchEvent(new CustomEvent("themechange", { detail: wanted }));
  });
}
