"""Test accuracy over the epochs, one line a method."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from labelaudit.study.pictures.style import line_of, nested_width, new_figure, noise_title, save
from labelaudit.study.results import CellResult
from labelaudit.study.table import method_order


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
