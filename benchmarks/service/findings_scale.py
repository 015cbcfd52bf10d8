"""Ten million findings on SQLite and PostgreSQL: loading, pages at any depth, a full walk.

    python -m benchmarks.service.findings_scale --engine sqlite --out result.json

Findings are staged and published by the worker's own code; pages are asked for over HTTP from the
API process. Half way through the walk a re-run of the same job is published.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx2
import numpy as np
from sqlalchemy import Table, event, func, select

from app.accounts.schemas import Scope
from app.accounts.secrets import load_pepper
from app.accounts.service import AccountService
from app.core.bulk import ROWS_PER_TRANSACTION, Columns, insert_rows
from app.core.db import Database, make_engine
from app.core.migrate import upgrade
from app.core.pagination import Cursors
from app.core.settings import Settings
from app.findings.publish_repository import PublishRepository
from app.findings.query import FindingQuery
from app.findings.repository import FindingRepository
from app.findings.service import PLACE
from app.http.pagination import CursorSeal
from app.models import Dataset, Finding, Job, JobState, Sample
from benchmarks.harness import facts, keep
from benchmarks.service.api_process import running_api
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.support.servers import running_postgres
from worker.runtime.publisher import result_rows
from worker.stages.finding_rows import FINDINGS_FILE, finding_rows

PAGE = 100
WALK_PAGE = 500
NUM_PAGES = 200
Place = Callable[[int], str]


def main() -> None:
    """Measure one engine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--ranks", choices=["scattered", "rising"], default="scattered")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    origin = facts(options)
    folder = Path(tempfile.mkdtemp(prefix="labelaudit-scale-"))
    try:
        with ExitStack() as stack:
            url = f"sqlite:///{folder / 'scale.db'}"
            if options.engine == "postgresql":
                url = stack.enter_context(running_postgres())
            result = _measure(folder, url, options.rows, options.ranks)
    finally:
        shutil.rmtree(folder)
    result = {
        **origin,
        "engine": options.engine,
        "rows": options.rows,
        "ranks": options.ranks,
        **result,
    }
    print(json.dumps(result, indent=1))
    keep(result, options.out)


def _measure(folder: Path, url: str, num_rows: int, ranks: str) -> dict[str, Any]:
    upgrade(url)
    settings = Settings.model_validate({"data_dir": folder / "data", "database_url": url})
    database = Database(make_engine(url))
    key, job_id = _prepare(database, settings, num_rows)
    _write_findings(folder, num_rows, ranks)
    start = time.monotonic()
    version = _publish(database, job_id, folder, num_rows)
    result: dict[str, Any] = {"load_seconds": _since(start), "load_average": os.getloadavg()[0]}
    print(result, flush=True)
    with database.read() as session:
        result["plan"] = _plan(session, version)
        tenant_id = session.scalars(select(Dataset.tenant_id)).one()
    seal = CursorSeal(load_pepper(settings), tenant_id)
    cursors = Cursors(PLACE, {"job": job_id, **asdict(FindingQuery())})

    def place(rank: int) -> str:
        """Return the cursor behind a rank."""
        _, cursor = cursors.cut([rank, 0], 1, key=lambda row: (version, 0.0, row))
        assert cursor is not None
        return cursor

    def again() -> None:
        _write_findings(folder, num_rows, ranks, is_reversed=True)
        _publish(database, job_id, folder, num_rows)

    with (
        running_api(
            folder / "api.log",
            LABELAUDIT_DATA_DIR=str(settings.data_dir),
            LABELAUDIT_DATABASE_URL=url,
        ) as base,
        httpx2.Client(
            base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as client,
    ):
        path = f"/v1/jobs/{job_id}/samples"
        result["pages"] = _pages(client, path, num_rows, seal, place)
        print(result["pages"], flush=True)
        result["walk"] = _walk(client, path, again, num_rows)
    database.dispose()
    return result


def _prepare(database: Database, settings: Settings, num_rows: int) -> tuple[str, UUID]:
    with database.unit_of_work() as session:
        tenant = make_tenant(session)
        dataset = make_dataset(session, tenant.id, num_samples=num_rows)
        job = make_job(session, dataset)
        accounts = AccountService(session, load_pepper(settings))
        _, key = accounts.create_key(tenant.id, name="scale", scopes=list(Scope))
    for batch in _samples(dataset, num_rows):
        with database.unit_of_work() as session:
            insert_rows(session, cast("Table", Sample.__table__), batch)
    print("samples are in", flush=True)
    return key, job.id


def _samples(dataset: Dataset, num_rows: int) -> Iterator[Columns]:
    same = {
        "tenant_id": dataset.tenant_id, "dataset_id": dataset.id, "split": "train",
        "thumb_sha256": None, "media_type": "image/png", "width": 8, "height": 8,
        "decision": None, "version": 1,
    }  # fmt: skip
    for first in range(0, num_rows, ROWS_PER_TRANSACTION):
        positions = range(first, min(first + ROWS_PER_TRANSACTION, num_rows))
        yield {
            "id": [position + 1 for position in positions],
            "position": positions,
            "path": [f"cat/{position:08d}.png" for position in positions],
            "given_label": [position % 2 for position in positions],
            "sha256": [f"{position:064x}" for position in positions],
            **{name: [value] * len(positions) for name, value in same.items()},
        }


def _publish(database: Database, job_id: UUID, folder: Path, num_rows: int) -> int:
    """Stage and publish what the child left, as `worker.runtime.publisher` does."""
    with database.unit_of_work() as session:
        job = session.get_one(Job, job_id)
        results = PublishRepository(session, job.tenant_id, job_id)
        version = results.stage(attempt=1)
    for table, rows in result_rows(finding_rows(folder, range(1, num_rows + 1), version)):
        with database.unit_of_work() as session:
            PublishRepository(session, job.tenant_id, job_id).add_rows(table, rows)
    with database.unit_of_work() as session:
        PublishRepository(session, job.tenant_id, job_id).refresh_statistics()
    with database.unit_of_work() as session:
        results = PublishRepository(session, job.tenant_id, job_id)
        results.supersede()
        job = session.get_one(Job, job_id)
        job.state, job.result_version = JobState.SUCCEEDED, version
        session.flush()
        results.drop_unpublished()
    return version


def _write_findings(folder: Path, num_rows: int, ranks: str, *, is_reversed: bool = False) -> None:
    """Write the arrays of a finished training.

    A worker's ranks are scattered over the samples; rising ones show what that costs.
    """
    rng = np.random.default_rng(1)
    rank = (rng.permutation(num_rows) if ranks == "scattered" else np.arange(num_rows)) + 1
    rank = rank[::-1] if is_reversed else rank
    given = np.arange(num_rows) % 2
    p = 1 - (rank - 1) / num_rows
    np.savez(
        folder / FINDINGS_FILE, rank=rank, p_mislabeled=p, flagged=p > 0.5, given_label=given,
        suggested_label=1 - given, suggested_confidence=np.full(num_rows, 0.75),
        loss=4 * p, verdict=np.where(p > 0.5, "mislabeled", "clean"),
        verified=np.zeros(num_rows, dtype=np.bool_), signal_mixture=rng.random(num_rows),
        signal_margin=rng.random(num_rows), likely_label=given[:, None],
        likely_probability=np.full((num_rows, 1), 0.2),
    )  # fmt: skip


def _plan(session: Any, version: int) -> dict[str, Any]:
    """Return what the database says of the last page's query."""
    tenant_id = session.scalars(select(Dataset.tenant_id).limit(1)).one()
    last = session.scalar(select(func.max(Finding.rank)).where(Finding.version_id == version))
    seen: list[tuple[str, Any]] = []
    connection = session.connection()

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    FindingRepository(session, tenant_id).page(
        version, FindingQuery(), classes=["cat", "dog"], after=(0.0, last - PAGE), limit=PAGE + 1
    )
    event.remove(connection, "before_cursor_execute", note)
    ((statement, parameters),) = seen
    is_sqlite = connection.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
    lines = [row[3 if is_sqlite else 0] for row in rows]
    text = "\n".join(lines)
    return {"lines": lines, "sorts": "TEMP B-TREE" in text or "Sort" in text}


def _pages(
    client: httpx2.Client, path: str, num_rows: int, seal: CursorSeal, place: Place
) -> dict[str, Any]:
    """Ask for the first, a middle and the last page many times."""
    spots = {"first": None, "middle": num_rows // 2, "last": num_rows - PAGE}
    return {name: _spot(client, path, seal, place, rank) for name, rank in spots.items()}


def _spot(
    client: httpx2.Client, path: str, seal: CursorSeal, place: Place, rank: int | None
) -> dict[str, float]:
    params: dict[str, str | int] = {"limit": PAGE}
    if rank is not None:
        params["cursor"] = seal.sign(place(rank))
    times = []
    for _ in range(NUM_PAGES):
        start = time.perf_counter()
        reply = client.get(path, params=params).raise_for_status().json()
        times.append(1000 * (time.perf_counter() - start))
        assert len(reply["items"]) == PAGE
        assert reply["items"][0]["rank"] == (rank or 0) + 1
    cuts = statistics.quantiles(times, n=20)
    return {"p50_ms": round(statistics.median(times), 2), "p95_ms": round(cuts[18], 2)}


def _walk(
    client: httpx2.Client, path: str, publish: Callable[[], None], num_rows: int
) -> dict[str, Any]:
    """Walk all pages; publish a re-run meanwhile. The ids of the walk are 1 to `num_rows`."""
    seen = np.zeros(num_rows + 1, dtype=np.int8)
    cursor, num_pages, start = None, 0, time.monotonic()
    thread = threading.Thread(target=publish)
    published_at = None
    while True:
        params = {"limit": WALK_PAGE} | ({"cursor": cursor} if cursor else {})
        page = client.get(path, params=params).raise_for_status().json()
        for item in page["items"]:
            seen[int(item["sample_id"][1:], 16)] += 1
        num_pages += 1
        cursor = page["next_cursor"]
        if cursor is None:
            break
        if num_pages == num_rows // WALK_PAGE // 10:
            thread.start()
        if published_at is None and thread.ident is not None and not thread.is_alive():
            published_at = num_pages
    seconds = _since(start)
    thread.join()
    newer = client.get(path, params={"limit": 1}).json()["items"][0]["sample_id"]
    return {
        "pages": num_pages, "seconds": seconds, "rerun_was_published_after_page": published_at,
        "each_id_once": bool((seen[1:] == 1).all()), "first_of_the_rerun": newer,
    }  # fmt: skip


def _since(start: float) -> float:
    return round(time.monotonic() - start, 1)


if __name__ == "__main__":
    main()
