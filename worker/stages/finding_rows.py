"""The findings between two processes: arrays that the child wrote, columns for the database."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.core.bulk import ROWS_PER_TRANSACTION, Columns
from app.models.likely import LEAST_PROBABILITY, MAX_LABEL, MAX_STORED, SCALE

FINDINGS_FILE = "findings.npz"
EVIDENCE_FILE, CLASS_LOSSES_FILE = "evidence.npy", "class-losses.npy"
"""What stays beside the rows: of each sample, and of each class."""
NPY_TYPE = "application/x-npy"
SIGNAL = "signal_"
"""Before the names of the arrays that are signals."""
POSTERIOR = f"{SIGNAL}posterior"
"""The one signal that is a column too: findings are filtered and sorted by it."""
VERIFIED = "verified"
"""Array of what people decided before, and the verdict on it."""
FIRST_LOOK_FILE = "first-look.npz"
"""Which rows to look at first (`index`), and which of them chance chose (`by_chance`)."""


def finding_rows(folder: Path, sample_ids: Sequence[int], version: int) -> Iterator[Columns]:
    """Yield one row per training sample from the arrays in the attempt's folder.

    In batches, by rank: so the table grows at its end.
    """
    with np.load(folder / FINDINGS_FILE, allow_pickle=False) as file:
        arrays: dict[str, npt.NDArray[Any]] = {name: file[name] for name in file.files}
    num_rows = len(arrays["rank"])
    if len(sample_ids) != num_rows:
        raise RuntimeError(f"{num_rows} findings for {len(sample_ids)} samples")
    arrays["verdict"] = np.where(arrays.pop(VERIFIED), VERIFIED, arrays["verdict"])
    ids, order = np.asarray(sample_ids), np.argsort(arrays["rank"])
    for first in range(0, num_rows, ROWS_PER_TRANSACTION):
        batch = order[first : first + ROWS_PER_TRANSACTION]
        yield _columns(
            {name: array[batch] for name, array in arrays.items()}, ids[batch].tolist(), version
        )


def first_look(folder: Path, sample_ids: Sequence[int]) -> list[tuple[int, bool]]:
    """Return the samples to look at first, in order, and whether chance alone chose each."""
    with np.load(folder / FIRST_LOOK_FILE, allow_pickle=False) as file:
        places, by_chance = file["index"].tolist(), file["by_chance"].tolist()
    return [(sample_ids[place], chance) for place, chance in zip(places, by_chance, strict=True)]


def _columns(
    arrays: dict[str, npt.NDArray[Any]], sample_ids: Sequence[int], version: int
) -> Columns:
    names = [name for name in arrays if name.startswith(SIGNAL)]
    posterior = arrays.get(POSTERIOR)
    signals = zip(*(arrays.pop(name).tolist() for name in names), strict=True)
    likely = _pack_likely(arrays.pop("likely_label", None), arrays.pop("likely_probability", None))
    keys = [name.removeprefix(SIGNAL) for name in names]
    num_rows = len(sample_ids)
    return {
        "version_id": [version] * num_rows,
        "sample_id": sample_ids,
        **{name: array.tolist() for name, array in arrays.items()},
        # NaN: not enough to judge.
        "p_mislabeled": _or_none(arrays["p_mislabeled"]),
        "posterior": [None] * num_rows if posterior is None else _or_none(posterior),
        "signals": [dict(zip(keys, values, strict=True)) for values in signals],
        "likely": [likely(row) for row in range(num_rows)],
    }


def _or_none(values: npt.NDArray[np.floating[Any]]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN is no number, not even its own


def _pack_likely(
    labels: npt.NDArray[Any] | None, probabilities: npt.NDArray[Any] | None
) -> Callable[[int], bytes | None]:
    """Return what packs a row as `unpack_likely` reads it; rows fall in probability."""
    if labels is None or probabilities is None:
        return lambda _: None
    can_store = (probabilities >= LEAST_PROBABILITY) & (labels <= MAX_LABEL)
    counts = can_store[:, :MAX_STORED].cumprod(axis=1).sum(axis=1).tolist()
    pairs = np.stack([labels, np.rint(probabilities * SCALE)], axis=2).astype("<u2")
    packed, width, pair = pairs.tobytes(), pairs[0].nbytes, pairs[0, 0].nbytes

    def pack(row: int) -> bytes | None:
        return packed[row * width : row * width + pair * counts[row]] or None

    return pack
