"""How well Beta and Gaussian mixtures of the same losses find wrong labels, at every threshold."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from labelaudit.study.detection import posteriors, roc_auc, roc_curve
from labelaudit.study.pictures.style import (
    BLUE,
    GREY,
    ORANGE,
    SKY_BLUE,
    VERMILION,
    WIDTH_INCHES,
    grid_shape,
    nested_width,
    new_figure,
    noise_title,
    save,
)
from labelaudit.study.results import CellResult, StudyFolder
from labelaudit.study.table import method_order

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
