"""What the page of one sample shows of a training, as files of records that can be read singly.

`evidence.npy` has a record for each position of the data set, also for samples that were not
judged; `class-losses.npy` has one for each class. Both are NumPy's own format, version 1 or 2.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import ml
from worker.files.npy import save_array
from worker.stages.finding_rows import CLASS_LOSSES_FILE, EVIDENCE_FILE

Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
NUM_NEAREST = 4
_CHUNK = 65_536
_LOSS, _NUMBER = "<f2", "<i4"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """The N samples of a job that judged them."""

    findings: ml.Findings
    given_label: Labels
    label: Labels
    """In force: where a person had decided, what they said."""
    position: Rows
    """Their places in the data set, rising."""
    num_positions: int

    @property
    def is_trusted(self) -> npt.NDArray[np.bool_]:
        """Whose label is not suspected, so that they may stand for their class."""
        return ~self.findings.flagged


def write_class_losses(
    folder: Path, judged: Judged, losses: npt.NDArray[np.float16], *, num_classes: int
) -> None:
    """Write the quartiles of the losses of each class's trusted samples after every epoch.

    `losses` has the shape (epochs, N), in nats.
    """
    curves = ml.class_curves(losses, judged.label, judged.is_trusted, num_classes=num_classes)
    names = ("lower", "median", "upper")
    records = np.empty(num_classes, dtype=[(name, _LOSS, (len(losses),)) for name in names])
    for place, name in enumerate(names):
        records[name] = curves[:, place]
    save_array(folder / CLASS_LOSSES_FILE, records)


def write_evidence(
    folder: Path,
    judged: Judged,
    *,
    losses: npt.NDArray[np.float16],
    features: npt.NDArray[np.floating[Any]] | None,
) -> None:
    """Write of each sample its losses, and the most similar samples of two classes.

    These are the class of its given label and, where that is another one, the suggested class.

    Args:
        folder: Where to.
        judged: The samples.
        losses: Of the labels in force, shape (epochs, N), in nats; no epochs where none was told.
        features: What a network sees in each, shape (N, D), where that is known.
    """
    records = np.lib.format.open_memmap(
        folder / EVIDENCE_FILE, "w+", _record(len(losses)), (judged.num_positions,)
    )
    records[:] = _blank(records.dtype)
    records["label"][judged.position] = judged.label
    for start in range(0, len(judged.label), _CHUNK):
        rows = slice(start, start + _CHUNK)
        records["losses"][judged.position[rows]] = losses[:, rows].T
    if features is not None:
        given, suggested = judged.given_label, judged.findings.suggested_label
        other = np.where(suggested == given, ml.NOBODY, suggested)
        for name, wanted in (("given", given), ("suggested", other)):
            _add_lookalikes(records, name, wanted, judged, features)
    records.flush()


def _record(num_epochs: int) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = [("label", _NUMBER), ("losses", _LOSS, (num_epochs,))]
    for name in ("given", "suggested"):
        fields.append((f"like_{name}", _NUMBER, (NUM_NEAREST,)))
        fields.append((f"like_{name}_similarity", _LOSS, (NUM_NEAREST,)))
    return np.dtype(fields)


def _blank(dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the record of a sample that was not judged."""
    blank = np.zeros((), dtype)
    for name in dtype.names or ():
        blank[name] = np.nan if dtype[name].base == _LOSS else ml.NOBODY
    return blank


def _add_lookalikes(
    records: npt.NDArray[Any],
    name: str,
    wanted: Labels,
    judged: Judged,
    features: npt.NDArray[np.floating[Any]],
) -> None:
    """Write who is most like each sample among the trusted ones of the wanted class."""
    found = ml.find_lookalikes(
        features,
        wanted,
        label_N=judged.label,
        may_show_N=judged.is_trusted,
        num_nearest=NUM_NEAREST,
    )
    place = np.append(judged.position, ml.NOBODY)  # NOBODY, being -1, stays itself
    records[f"like_{name}"][judged.position] = place[found.index]
    records[f"like_{name}_similarity"][judged.position] = found.similarity
