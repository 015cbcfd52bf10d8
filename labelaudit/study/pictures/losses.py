"""Losses of right and wrong labels over the training, with the fitted noise model on top."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import ml
from labelaudit.study.pictures.style import (
    BLUE,
    ORANGE,
    SKY_BLUE,
    VERMILION,
    grid_shape,
    new_figure,
    noise_title,
    save,
)
from labelaudit.study.results import CellResult

_Losses = npt.NDArray[np.float32]
_Flags = npt.NDArray[np.bool_]

_NUM_BINS = 60
_NUM_POINTS = 400
_TOP_QUANTILE = 0.995
_HEADROOM = 1.25
_MIN_TOP = 1e-3
_UNFITTED = frozenset({"too_few_samples", "constant_losses", "degenerate_fit"})
"""Fallbacks whose densities say nothing of the losses."""
_FILL = 0.5
_CLEAN: dict[str, Any] = {"color": BLUE, "linewidth": 1.8}
_NOISY: dict[str, Any] = {"color": VERMILION, "linewidth": 1.8, "linestyle": "--"}


def draw_losses(cell: CellResult, source: Path, target: Path) -> None:
    """Draw one panel for each kept epoch, each on the scale of its own losses."""
    with np.load(source, allow_pickle=False) as arrays:
        epochs, losses, is_wrong = arrays["epochs"], arrays["losses"], arrays["is_wrong"]
    num_rows, num_columns = grid_shape(len(epochs))
    figure = new_figure(1.1 + 2.8 * num_rows)
    for place, (epoch, loss) in enumerate(zip(epochs, losses, strict=True)):
        axes = figure.add_subplot(num_rows, num_columns, place + 1)
        _draw_histograms(axes, loss, is_wrong)
        _draw_mixture(axes, _fit(cell, loss))
        axes.set_title(f"epoch {epoch}", fontsize="medium")
        if place + num_columns >= len(epochs):
            axes.set_xlabel("loss of the given label (nats)")
        if place % num_columns == 0:
            axes.set_ylabel("density (1/nat)")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(_title(cell), fontsize="large")
    save(figure, target)


def _title(cell: CellResult) -> str:
    kind = ml.METHODS[cell["method"]].mixture_kind
    return (
        f"{noise_title([cell])}\n{cell['method']}, seed {cell['seed']}: "
        f"losses, and the {kind.capitalize()} mixture fitted to them"
    )


def _fit(cell: CellResult, losses: _Losses) -> ml.Mixture:
    """Fit the family of noise model that the method trains with, in the cell's mode."""
    kind = ml.METHODS[cell["method"]].mixture_kind
    return ml.fit_mixture(losses, kind=kind, mode=cell["config"]["mixture_mode"])


def _draw_histograms(axes: Axes, losses: _Losses, is_wrong: _Flags) -> None:
    """Draw shares of all labels: the areas of both histograms add up to 1, as the curves' do."""
    top = max(float(np.quantile(losses, _TOP_QUANTILE)), _MIN_TOP)
    edges = np.linspace(0.0, top, _NUM_BINS + 1)
    highest = 0.0
    for chosen, colour in ((~is_wrong, SKY_BLUE), (is_wrong, ORANGE)):
        counts, _ = np.histogram(losses[chosen], bins=edges)
        density = counts / (len(losses) * np.diff(edges))
        axes.stairs(density, edges, fill=True, color=colour, alpha=_FILL)
        axes.stairs(density, edges, color=colour)
        highest = max(highest, float(density.max()))
    axes.set_xlim(0.0, top)
    # The densities may have poles at the ends: the histograms say how much is worth showing.
    axes.set_ylim(0.0, _HEADROOM * highest)


def _draw_mixture(axes: Axes, mixture: ml.Mixture) -> None:
    """Draw the weighted densities, and say where the losses do not fall into two components."""
    if mixture.fallback is not None:
        axes.text(
            0.97, 0.95, mixture.fallback.replace("_", " "),
            transform=axes.transAxes, ha="right", va="top",
        )  # fmt: skip
    if mixture.fallback in _UNFITTED:
        return
    points = np.linspace(0.0, axes.get_xlim()[1], _NUM_POINTS + 1)[1:]
    clean, noisy = mixture.density(points)
    axes.plot(points, clean, **_CLEAN)
    if mixture.weight[1] > 0.0:
        axes.plot(points, noisy, **_NOISY)


def _legend() -> list[Artist]:
    return [
        Patch(color=SKY_BLUE, alpha=_FILL, label="right labels"),
        Patch(color=ORANGE, alpha=_FILL, label="wrong labels"),
        Line2D([], [], label="clean component", **_CLEAN),
        Line2D([], [], label="noisy component", **_NOISY),
    ]
