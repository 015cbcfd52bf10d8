"""The findings table between two processes: arrays that the child wrote, rows for the database."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.models.likely import LEAST_PROBABILITY, MAX_LABEL, MAX_STORED, SCALE

FINDINGS_FILE = "findings.npz"
EVIDENCE_FILE, CLASS_LOSSES_FILE = "evidence.npy", "class-losses.npy"
"""What stays beside the rows: of each sample, and of each class."""
NPY_TYPE = "application/x-npy"
SIGNAL = "signal_"
"""Before the names of the arrays that are signals."""
VERIFIED = "verified"
"""Array of what people decided before, and the verdict on it."""


def finding_rows(folder: Path, sample_ids: Sequence[int], version: int) -> Iterator[dict[str, Any]]:
    """Yield one row per training sample from the arrays in the attempt's folder."""
    with np.load(folder / FINDINGS_FILE, allow_pickle=False) as file:
        columns: dict[str, npt.NDArray[Any]] = {name: file[name] for name in file.files}
    signals = {
        name.removeprefix(SIGNAL): columns.pop(name)
        for name in [*columns]
        if name.startswith(SIGNAL)
    }
    if len(sample_ids) != len(columns["rank"]):
        raise RuntimeError(f"{len(columns['rank'])} findings for {len(sample_ids)} samples")
    verified = columns.pop(VERIFIED).tolist()
    likely = _pack_likely(
        columns.pop("likely_label", None), columns.pop("likely_probability", None)
    )
    lists = {name: column.tolist() for name, column in columns.items()}
    signal_lists = {name: column.tolist() for name, column in signals.items()}
    for i, sample_id in enumerate(sample_ids):
        row = {name: values[i] for name, values in lists.items()}
        judged = row["p_mislabeled"] == row["p_mislabeled"]  # NaN: not enough to judge
        yield {
            "version_id": version,
            "sample_id": sample_id,
            **row,
            "p_mislabeled": row["p_mislabeled"] if judged else None,
            "verdict": VERIFIED if verified[i] else row["verdict"],
            "signals": {name: values[i] for name, values in signal_lists.items()},
            "likely": likely(i),
        }


def _pack_likely(
    labels: npt.NDArray[Any] | None, probabilities: npt.NDArray[Any] | None
) -> Callable[[int], bytes | None]:
    """Return what packs a row as `unpack_likely` reads it; rows fall in probability."""
    if labels is None or probabilities is None:
        return lambda _: None
    can_store = (probabilities >= LEAST_PROBABILITY) & (labels <= MAX_LABEL)
    counts = can_store[:, :MAX_STORED].cumprod(axis=1).sum(axis=1).tolist()
    pairs = np.stack([labels, np.rint(probabilities * SCALE)], axis=2).astype("<u2")

    def pack(row: int) -> bytes | None:
        return pairs[row, : counts[row]].tobytes() or None

    return pack
