"""A foreign id must not be told from an unknown one by the clock either."""

import statistics
import time

from starlette.testclient import TestClient

from app.http.context import AppContext
from tests.support.engines import on_sqlite
from tests.support.tenants import UNKNOWN, fill_every_table

ROUNDS = 60


def _seconds(client: TestClient, path: str) -> float:
    start = time.perf_counter()
    assert client.get(path).status_code == 404
    return time.perf_counter() - start


@on_sqlite
def test_foreign_and_unknown_ids_take_the_same_time(
    client: TestClient, context: AppContext
) -> None:
    """Medians of interleaved calls differ by less than the spread of either."""
    with context.database.unit_of_work() as session:
        ids = fill_every_table(session, "theirs")
    for kind, foreign_id, unknown_id in (
        ("datasets", ids.dataset_id, UNKNOWN.dataset_id),
        ("jobs", ids.job_id, UNKNOWN.job_id),
        ("samples", ids.sample_id, UNKNOWN.sample_id),
    ):
        pairs = [
            (
                _seconds(client, f"/v1/{kind}/{foreign_id}"),
                _seconds(client, f"/v1/{kind}/{unknown_id}"),
            )
            for _ in range(ROUNDS)
        ]
        foreign, unknown = zip(*pairs, strict=True)
        gap = abs(statistics.median(foreign) - statistics.median(unknown))
        spread = max(statistics.quantiles(foreign, n=10)[8], statistics.quantiles(unknown, n=10)[8])
        assert gap < 0.5 * spread, (kind, statistics.median(foreign), statistics.median(unknown))
