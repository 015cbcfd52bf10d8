"""All rows of a version of results, each table's in the order of its own key."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from app.core.bulk import ROWS_PER_TRANSACTION, Columns
from app.datasets.removal_repository import ResultTable
from app.models import Finding, LossRank, PosteriorRank, SampleRank, minus_posterior


def result_rows(findings: Iterable[Columns]) -> Iterator[tuple[ResultTable, Columns]]:
    """Yield batches of findings, which come by rank, and after them where they are found.

    Rows that come in the order of their key fill page after page; in any other order each of
    them changes some page in the middle, which on ten million rows takes most of the time.
    """
    ids, ranks, losses, posteriors, version = [], [], [], [], 0
    for batch in findings:
        yield Finding, batch
        ids.append(np.array(batch["sample_id"], dtype=np.int64))
        ranks.append(np.array(batch["rank"], dtype=np.int32))
        losses.append(np.array(batch["loss"], dtype=np.float64))
        posteriors.append(np.array([minus_posterior(value) for value in batch["posterior"]]))
        version = batch["version_id"][0]
    if not ids:
        return
    rank = np.concatenate(ranks)
    yield from _in_order(SampleRank, version, {"sample_id": np.concatenate(ids)}, rank)
    yield from _in_order(LossRank, version, {"loss": np.concatenate(losses)}, rank)
    keys = {"minus_posterior": np.concatenate(posteriors)}
    yield from _in_order(PosteriorRank, version, keys, rank)


def _in_order(
    table: ResultTable,
    version: int,
    key: dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float64]],
    rank: npt.NDArray[np.int32],
) -> Iterator[tuple[ResultTable, Columns]]:
    ((name, values),) = key.items()
    order = np.argsort(values, kind="stable")  # so equal losses stay by rank
    for first in range(0, len(order), ROWS_PER_TRANSACTION):
        batch = order[first : first + ROWS_PER_TRANSACTION]
        yield (
            table,
            {
                "version_id": [version] * len(batch),
                name: values[batch].tolist(),
                "rank": rank[batch].tolist(),
            },
        )
