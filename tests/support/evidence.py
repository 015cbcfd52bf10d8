"""The files that a training leaves of single samples, for tests of who reads them."""

import io
from collections.abc import Mapping, Sequence

import numpy as np

NUM_NEAREST = 4


def evidence_file(
    num_positions: int,
    losses: Mapping[int, Sequence[float]],
    *,
    label: Mapping[int, int],
    like_given: Mapping[int, Sequence[int]],
    like_suggested: Mapping[int, Sequence[int]],
) -> bytes:
    """Everything by position; who is nearer is more alike by 0.1."""
    num_epochs = max((len(row) for row in losses.values()), default=0)
    fields = [("label", "<i4"), ("losses", "<f2", (num_epochs,))]
    for name in ("like_given", "like_suggested"):
        fields += [(name, "<i4", (NUM_NEAREST,)), (f"{name}_similarity", "<f2", (NUM_NEAREST,))]
    records = np.zeros(num_positions, dtype=np.dtype(fields))
    records["losses"], records["label"] = np.nan, -1
    for position, row in losses.items():
        records["losses"][position] = row
    for position, number in label.items():
        records["label"][position] = number
    for name, found in (("like_given", like_given), ("like_suggested", like_suggested)):
        records[name], records[f"{name}_similarity"] = -1, np.nan
        for position, others in found.items():
            records[name][position, : len(others)] = others
            records[f"{name}_similarity"][position, : len(others)] = [
                0.9 - 0.1 * place for place in range(len(others))
            ]
    return _npy(records)


def class_losses_file(curves: Sequence[tuple[Sequence[float], ...]]) -> bytes:
    """Of each class the lower quartile, the median and the upper quartile by epoch."""
    num_epochs = len(curves[0][0])
    dtype = [(name, "<f2", (num_epochs,)) for name in ("lower", "median", "upper")]
    return _npy(np.array(curves, dtype=dtype))


def _npy(records: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, records)
    return file.getvalue()
