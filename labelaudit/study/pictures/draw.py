"""Which pictures there are."""

from collections.abc import Sequence
from pathlib import Path

from labelaudit.study.pictures.accuracy import draw_accuracy
from labelaudit.study.pictures.losses import draw_losses
from labelaudit.study.pictures.roc import draw_roc
from labelaudit.study.results import CellResult, StudyFolder


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
