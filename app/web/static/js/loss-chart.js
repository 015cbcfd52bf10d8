// <loss-chart data-histogram="…">: draws the losses and the two groups that were fitted to them,
// again whenever the attribute changes.
import { Chart, uPlot } from "./chart.js";

const SQUARE_ROOT = { distr: 100, fwd: Math.sqrt, inv: (root) => root * root };

class LossChart extends Chart {
  static observedAttributes = ["data-histogram"];
  height = 260;

  plotNow() {
    const { edges, counts, expected_counts: expected } = JSON.parse(this.dataset.histogram);
    const middles = counts.map((_, bin) => (edges[bin] + edges[bin + 1]) / 2);
    const data = [middles, counts];
    if (expected.clean.length) data.push(expected.clean, expected.noisy);
    const most = Math.max(...data.slice(1).flat());
    return new uPlot(this.options(data.length, most), data, this);
  }

  options(numRows, most) {
    const axis = this.axis();
    const lines = [
      { stroke: this.colour("--good"), width: 2.5 },
      { stroke: this.colour("--bad"), width: 2.5, dash: [6, 3] },
    ];
    const bars = { fill: this.colour("--line-strong"), paths: uPlot.paths.bars({ size: [0.9] }) };
    const series = [{}, bars, ...lines].slice(0, numRows);
    return {
      ...this.frame(),
      scales: { x: { time: false }, y: { ...SQUARE_ROOT, range: [0, most || 1] } },
      axes: [
        { ...axis, label: "Loss", labelSize: 22, size: 34 },
        { ...axis, size: 64, splits: () => rootSteps(most), filter: (_, steps) => steps, values: (_, counts) => counts.map((n) => n.toLocaleString("en")) },
      ],
      series: series.map((row) => ({ points: { show: false }, ...row })),
    };
  }
}

/** Round numbers whose roots lie about evenly. */
function rootSteps(most) {
  const steps = [0.04, 0.16, 0.36, 0.64, 1].map((part) => {
    const scale = 10 ** Math.floor(Math.log10(Math.max(part * most, 1))) / 2;
    return Math.round((part * most) / scale) * scale;
  });
  return [...new Set([0, ...steps.filter((step) => step >= 1 && step <= most)])];
}

customElements.define("loss-chart", LossChart);
