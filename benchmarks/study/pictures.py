"""The paper's pictures, drawn from the files of finished cells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

import ml
from benchmarks.study.detection import posteriors, roc_auc, roc_curve
from benchmarks.study.results import CellResult, StudyFolder
from benchmarks.study.table import method_order
from labelaudit.files import replacing

WIDTH_INCHES = 10.0
DPI = 160
"""1600 pixels."""
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#888888"
"""The palette of Okabe and Ito, with a grey in place of its yellow, which is faint on white."""

_METHOD_LINES = {
    "ce": (ORANGE, "-"),
    "mixup": (BLACK, "-"),
    "st-s": (GREY, "--"),
    "st-h": (GREY, "-"),
    "dy-s": (SKY_BLUE, "--"),
    "dy-h": (SKY_BLUE, "-"),
    "dy-gmm": (PURPLE, "-"),
    "m-dyr-s": (BLUE, "--"),
    "m-dyr-h": (BLUE, "-"),
    "md-dyr-h": (VERMILION, "--"),
    "md-dyr-sh": (VERMILION, "-"),
}


def line_of(method: str) -> tuple[str, str]:
    """Return colour and dashes of a method, the same in all pictures."""
    return _METHOD_LINES.get(method, (GREEN, "-."))


def nested_width(place: int, num_lines: int) -> float:
    """Return a width that falls from line to line: one below another still shows at its sides."""
    return 1.4 + 0.5 * (num_lines - 1 - place)


def new_figure(height_inches: float) -> Figure:
    """Return an empty figure of the common width."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid_shape(num_panels: int, *, max_columns: int = 3) -> tuple[int, int]:
    """Return rows and columns for so many panels."""
    columns = 2 if num_panels == 4 else min(num_panels, max_columns)
    return -(-num_panels // columns), columns


def noise_title(cells: Sequence[CellResult]) -> str:
    """Return what data and which noise cells have in common."""
    first = cells[0]
    rate = sum(cell["actual_noise_rate"] for cell in cells) / len(cells)
    return (
        f"{first['data']['name']}, {first['noise_kind']} noise {first['noise_level']:.0%} "
        f"({rate:.1%} of the labels wrong)"
    )


def save(figure: Figure, target: Path) -> None:
    """Write the picture; it appears under its name only when it is whole."""
    with replacing(target) as temporary:
        figure.savefig(temporary, format="png")


def draw_pictures(folder: StudyFolder, cells: Sequence[CellResult]) -> list[Path]:
    """Draw everything that the finished cells give; return the files.

    Losses are kept beside the figures and may be missing, as where only the figures came from
    another machine: their pictures are then left as they are.
    """
    written = []
    by_noise: dict[str, list[CellResult]] = {}
    for cell in cells:
        by_noise.setdefault(f"{cell['noise_kind']}{cell['noise_level']:g}", []).append(cell)
    for noise, group in by_noise.items():
        accuracy = folder.root / f"accuracy-{noise}.png"
        draw_accuracy(group, accuracy)
        written.append(accuracy)
        with_losses = [cell for cell in group if folder.losses_of(cell["name"]).exists()]
        written += _draw_from_losses(folder, noise, with_losses)
    return written


def _draw_from_losses(folder: StudyFolder, noise: str, cells: Sequence[CellResult]) -> list[Path]:
    written = []
    for cell in cells:
        source, target = folder.losses_of(cell["name"]), _losses_picture(folder, cell)
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            draw_losses(cell, source, target)
        written.append(target)
    judged = [cell for cell in cells if 0.0 < cell["actual_noise_rate"] < 1.0]
    if judged:
        first_seed = min(cell["seed"] for cell in judged)
        roc = folder.root / f"roc-{noise}.png"
        draw_roc([cell for cell in judged if cell["seed"] == first_seed], folder, roc)
        written.append(roc)
    return written


def _losses_picture(folder: StudyFolder, cell: CellResult) -> Path:
    return folder.root / f"losses-{cell['name']}.png"


def draw_accuracy(cells: Sequence[CellResult], target: Path) -> None:
    """Draw the cells of one noise: means over the seeds, and the range between them."""
    figure = new_figure(5.6)
    axes = figure.add_subplot()
    by_method: dict[str, list[CellResult]] = {}
    for cell in cells:
        by_method.setdefault(cell["method"], []).append(cell)
    for place, method in enumerate(sorted(by_method, key=method_order)):
        _draw_method(axes, method, by_method[method], nested_width(place, len(by_method)))
    axes.set_title(f"{noise_title(cells)}: test accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy on the test set (%)")
    axes.grid(alpha=0.3)
    axes.margins(x=0.01)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title=_seeds(cells), frameon=False)
    save(figure, target)


def _draw_method(axes: Axes, method: str, cells: Sequence[CellResult], width: float) -> None:
    """Draw one line; seeds of different length are drawn as far as all of them go."""
    num_epochs = min(len(cell["epochs"]) for cell in cells)
    percents = 100 * np.array(
        [[row["test_accuracy"] for row in cell["epochs"][:num_epochs]] for cell in cells]
    )
    epochs = np.arange(1, num_epochs + 1)
    colour, dashes = line_of(method)
    axes.plot(epochs, percents.mean(axis=0), color=colour, linestyle=dashes, lw=width, label=method)
    if len(cells) > 1:
        low, high = percents.min(axis=0), percents.max(axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.12, linewidth=0)


def _seeds(cells: Sequence[CellResult]) -> str:
    num_seeds = len({cell["seed"] for cell in cells})
    return "1 seed" if num_seeds == 1 else f"mean and range\nof {num_seeds} seeds"


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


_LINES = {
    "bmm-robust": (BLUE, "-"),
    "bmm-faithful": (SKY_BLUE, "--"),
    "gmm-robust": (VERMILION, "-"),
    "gmm-faithful": (ORANGE, "--"),
}


def draw_roc(cells: Sequence[CellResult], folder: StudyFolder, target: Path) -> None:
    """Draw one panel for each cell: of one noise and seed, a method each."""
    num_rows, num_columns = grid_shape(len(cells))
    figure = new_figure(1.0 + WIDTH_INCHES / num_columns * num_rows)
    for place, cell in enumerate(sorted(cells, key=lambda cell: method_order(cell["method"]))):
        axes = figure.add_subplot(num_rows, num_columns, place + 1)
        _draw_panel(axes, folder.losses_of(cell["name"]))
        axes.set_title(cell["method"], fontsize="medium")
        if place + num_columns >= len(cells):
            axes.set_xlabel("right labels flagged\n(false positive rate)")
        if place % num_columns == 0:
            axes.set_ylabel("wrong labels flagged\n(true positive rate)")
    figure.suptitle(
        f"{noise_title(cells)}, seed {cells[0]['seed']}:\n"
        "Beta against Gaussian mixture of the last epoch's losses",
        fontsize="large",
    )
    save(figure, target)


def _draw_panel(axes: Axes, source: Path) -> None:
    with np.load(source, allow_pickle=False) as arrays:
        losses, is_wrong = arrays["losses"][-1], arrays["is_wrong"]
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
    for place, (name, scores) in enumerate(posteriors(losses)):
        colour, dashes = _LINES[name]
        label = f"{name} {roc_auc(scores, is_wrong):.3f}"
        width = nested_width(place, len(_LINES))
        axes.plot(*roc_curve(scores, is_wrong), color=colour, ls=dashes, lw=width, label=label)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small", title="area below the curve")
