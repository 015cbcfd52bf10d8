// What the charts share: they fit their place and are drawn anew when the theme changes.
import uPlot from "../vendor/uplot/uPlot.esm.js";

export { uPlot };

/** An element that draws with uPlot. Who extends it says `height` and how to `plotNow()`. */
export class Chart extends HTMLElement {
  connectedCallback() {
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this);
    this.redraw = () => this.draw();
    document.addEventListener("themechange", this.redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.redraw);
    this.draw();
  }

  disconnectedCallback() {
    this.resizing.disconnect();
    document.removeEventListener("themechange", this.redraw);
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.redraw);
    this.plot?.destroy();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.draw();
  }

  fit() {
    if (this.plot && this.clientWidth) this.plot.setSize({ width: this.clientWidth, height: this.height });
  }

  draw() {
    this.plot?.destroy();
    this.plot = this.plotNow();
  }

  /** What all charts have in common: nothing to point at, quiet axes. */
  frame() {
    return { width: this.clientWidth || 600, height: this.height, legend: { show: false }, cursor: { show: false } };
  }

  axis() {
    return { stroke: this.colour("--muted"), grid: { stroke: this.colour("--line"), width: 1 }, ticks: { show: false } };
  }

  /** A token's colour as it is now: custom properties themselves still read `light-dark(…)`. */
  colour(token) {
    const before = this.style.color;
    this.style.color = `var(${token})`;
    const { color } = getComputedStyle(this);
    this.style.color = before;
    return color;
  }
}
