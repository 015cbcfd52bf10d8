"""How all pictures look: colours that colour-blind readers tell apart, and 1600 pixels of width."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from labelaudit.client.files import replacing
from labelaudit.study.results import CellResult

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
