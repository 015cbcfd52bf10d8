// <loss-curve data-curve="…">: draws the losses of one sample, epoch by epoch, over the middle half
// of its class where that is known.
import { Chart, uPlot } from "./chart.js";

class LossCurve extends Chart {
  height = 200;

  plotNow() {
    const { losses, of_class: ofClass } = JSON.parse(this.dataset.curve);
    const epochs = losses.map((_, place) => place + 1);
    const data = [epochs, losses];
    if (ofClass) data.push(ofClass.upper, ofClass.lower, ofClass.median);
    return new uPlot(this.options(data), data, this);
  }

  options(data) {
    const axis = this.axis();
    const good = this.colour("--good");
    const isShort = data[0].length < 3;
    const series = [
      {},
      { stroke: this.colour("--ink"), width: 2.5, points: { show: isShort } },
      { stroke: "transparent" },
      { stroke: "transparent" },
      { stroke: good, width: 2, dash: [6, 3] },
    ].slice(0, data.length);
    const most = Math.max(...data.slice(1).flat());
    return {
      ...this.frame(),
      scales: { x: { time: false, range: ends(data[0].length) }, y: { range: [0, 1.05 * most || 1] } },
      axes: [
        { ...axis, label: "Epoch", labelSize: 20, labelGap: 0, gap: 2, size: 22, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
        { ...axis, label: "Loss", labelSize: 18, size: 40 },
      ],
      series: series.map((row) => ({ points: { show: false }, ...row })),
      bands: data.length > 2 ? [{ series: [2, 3], fill: this.see(good) }] : [],
    };
  }

  /** A colour that the grid shows through. */
  see(colour) {
    return `color-mix(in srgb, ${colour} 22%, transparent)`;
  }
}

function ends(numEpochs) {
  return numEpochs > 1 ? [1, numEpochs] : [0.5, 1.5];
}

customElements.define("loss-curve", LossCurve);
