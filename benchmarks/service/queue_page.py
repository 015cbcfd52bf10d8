"""The review queue over a large job: how long until its pages and its decisions are seen.

    python -m benchmarks.service.queue_page [--findings 1000000] [--repeats 20] [--decisions 1000]
        [--out FILE]

Starts the real service on SQLite, puts rows and twelve images into its store, and drives the
system's Chromium. Measured in the page: from the start of a navigation (thumbnails cached) to the
frame after the last image in view is complete, of the whole queue and of a kind that one sample in
5,000 is of; from the key for the next page to the frame that shows it with its images; from a key
to the frame that shows the decision. Then so many decisions are made by keyboard, one after the
other, and compared with the log.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from playwright.sync_api import Browser, Page
from sqlalchemy import Table, func, select

from app.accounts.service import DEFAULT_TENANT
from app.core.bulk import as_columns, batches, insert_rows
from app.core.db import Database, make_engine
from app.models import Job, JobState, ResultVersion, Sample, Split, Tenant
from benchmarks.harness import facts, keep
from tests.browser.conftest import sign_in
from tests.browser.rows import Seed
from tests.browser.suspects import NUM_IMAGES, store_images
from tests.support.browser import running_browser
from tests.support.rows import make_job
from tests.support.service import Service, running_service
from worker.runtime.publisher import result_rows

CLASSES = [f"class {number:04d}" for number in range(1000)]
HARD_EVERY = 5000
"""One sample in so many was hard to learn: the rarest kind that is looked at."""
# Functions: what is polled as a bare expression is an eval, which the page forbids.
_MANY_LEFT = "() => document.querySelectorAll(\".tile[data-decision='']\").length > 40"
_ALL_SAVED = "() => !document.querySelector('[data-state=pending]')"
KEYS = {"a": "relabel", "s": "keep", "d": "unsure"}
_SEEN = """() => new Promise(done => {
    const look = () => {
        const inView = [...document.querySelectorAll('.tile__image')]
            .filter(image => image.getBoundingClientRect().top < innerHeight);
        if (inView.length && inView.every(image => image.complete && image.naturalWidth)
            && document.querySelector('.tile.is-current'))
            requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
        else setTimeout(look, 2);
    };
    look();
})"""
_PRESS = """({ key, shown }) => new Promise(done => {
    const started = performance.now();
    const before = document.querySelector('#board-page');
    const tile = document.querySelector('.tile.is-current');
    document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    const look = () => {
        const now = document.querySelector('#board-page');
        const images = [...now.querySelectorAll('.tile__image')]
            .filter(image => image.getBoundingClientRect().top < innerHeight);
        const isShown = shown === 'page'
            ? now !== before && images.every(image => image.complete && image.naturalWidth)
            : tile.dataset.decision !== '';
        if (isShown) requestAnimationFrame(() => requestAnimationFrame(
            () => done(performance.now() - started)));
        else setTimeout(look, 1);
    };
    look();
})"""


def main() -> None:
    """Fill the service, measure, print and write."""
    options = _options()
    given = facts(options)
    with tempfile.TemporaryDirectory() as name, running_service(Path(name)) as service:
        job = fill(service, options.findings)
        with running_browser() as browser:
            result = measure(browser, service, job, options)
    result = {**given, "findings": options.findings, "classes": len(CLASSES), **result}
    print(json.dumps(result, indent=1))
    keep(result, options.out)


def fill(service: Service, num_findings: int) -> Job:
    """Put an audited data set, nearly every label flagged, into the service's database."""
    database = Database(make_engine(f"sqlite:///{service.data_dir / 'labelaudit.db'}"))
    with database.unit_of_work() as session:
        tenant_id = session.scalars(select(Tenant.id).where(Tenant.name == DEFAULT_TENANT)).one()
    seed = Seed(database, tenant_id, service.data_dir)
    dataset = seed.dataset(classes=CLASSES, num_samples=num_findings)
    with database.unit_of_work() as session:
        job = make_job(session, dataset)
        version = ResultVersion(tenant_id=tenant_id, job_id=job.id, attempt=1)
        session.add(version)
        session.flush()
        version_id = version.id
        first = (session.scalar(select(func.max(Sample.id))) or 0) + 1
    images = store_images(seed)
    owner = {"tenant_id": tenant_id, "dataset_id": dataset.id}
    for rows in batches(_samples(owner, images, first, num_findings)):
        with database.unit_of_work() as session:
            insert_rows(session, cast("Table", Sample.__table__), as_columns(rows))
    findings = map(as_columns, batches(_findings(version_id, first, num_findings)))
    for table, columns in result_rows(findings):
        with database.unit_of_work() as session:
            insert_rows(session, cast("Table", table.__table__), columns)
    with database.unit_of_work() as session:
        row = session.get_one(Job, job.id)
        row.state, row.result_version = JobState.SUCCEEDED, version_id
    database.dispose()
    return job


def _samples(
    owner: dict[str, Any], images: list[str], first: int, count: int
) -> Iterator[dict[str, Any]]:
    for place in range(count):
        yield {
            **owner,
            "id": first + place,
            "position": place,
            "path": f"{CLASSES[place % len(CLASSES)]}/{place:07d}.png",
            "split": Split.TRAIN,
            "given_label": place % len(CLASSES),
            "sha256": images[place % NUM_IMAGES],
            "media_type": "image/png",
            "width": 96,
            "height": 96,
            "version": 1,
        }


def _findings(version_id: int, first: int, count: int) -> Iterator[dict[str, Any]]:
    for place in range(count):
        # From the last one back: in a small run, too, one is hard.
        is_hard = (count - 1 - place) % HARD_EVERY == 0
        yield {
            "version_id": version_id,
            "sample_id": first + place,
            "rank": place + 1,
            "given_label": place % len(CLASSES),
            "suggested_label": (place + 1) % len(CLASSES),
            "suggested_confidence": 0.9,
            "p_mislabeled": 0.99 * (1 - place / count),
            "flagged": not is_hard,
            "loss": 5.0 - 4 * place / count,
            "verdict": "hard" if is_hard else "mislabeled",
            "signals": {"posterior": 0.97, "mean_loss": 3.2, "disagreement": 0.8, "margin": -2.5},
        }


def measure(
    browser: Browser, service: Service, job: Job, options: argparse.Namespace
) -> dict[str, Any]:
    """Time pages and decisions, then count decisions."""
    context = browser.new_context(base_url=service.url, viewport={"width": 1280, "height": 800})
    sign_in(context, service)
    page = context.new_page()
    path = f"/jobs/{job.id}/review"
    page.goto(path)
    page.evaluate(_SEEN)
    first_ms = _visits(page, path, options.repeats)
    hard_ms = _visits(page, f"{path}?verdict=hard", options.repeats)
    next_ms, decision_ms = [], []
    page.goto(path)
    page.evaluate(_SEEN)
    for _ in range(options.repeats):
        page.wait_for_timeout(1000)  # a reviewer looks at the page; the next one is fetched
        next_ms.append(page.evaluate(_PRESS, {"key": "n", "shown": "page"}))
    page.goto(path)
    page.evaluate(_SEEN)
    for _ in range(options.repeats):
        page.wait_for_timeout(200)
        decision_ms.append(page.evaluate(_PRESS, {"key": "s", "shown": "decision"}))
    return {
        "first_page_ms": _summary(first_ms),
        "first_page_of_a_rare_kind_ms": _summary(hard_ms),
        "next_page_ms": _summary(next_ms),
        "decision_ms": _summary(decision_ms),
        "keyboard": press_many(page, service, job, options.decisions, made=options.repeats),
    }


def _visits(page: Page, path: str, count: int) -> list[float]:
    """Return how long a page took to be seen, each time, in milliseconds."""
    times = []
    for _ in range(count):
        page.goto(path)
        times.append(page.evaluate(_SEEN))
    return times


def press_many(page: Page, service: Service, job: Job, count: int, *, made: int) -> dict[str, Any]:
    """Decide as fast as the browser takes keys; compare with the log, which holds some already."""
    page.wait_for_function(_ALL_SAVED)  # else a page that is loaded now shows the last one as open
    page.goto(f"/jobs/{job.id}/review")
    page.evaluate(_SEEN)
    wanted: list[str] = []
    started = time.perf_counter()
    while len(wanted) < count:
        page.wait_for_function(_MANY_LEFT)
        for _ in range(min(48, count - len(wanted))):
            key = [*KEYS][len(wanted) % len(KEYS)]
            page.keyboard.press(key)
            wanted.append(KEYS[key])
    pressed = time.perf_counter() - started
    log = _log(service, job)
    while len(log) < made + count and time.perf_counter() - started < 300:
        page.wait_for_timeout(200)
        log = _log(service, job)
    made_by_keys = log[made:]
    return {
        "decisions": count,
        "seconds_to_press": round(pressed, 1),
        "seconds_to_save": round(time.perf_counter() - started, 1),
        "in_log": len(made_by_keys),
        "in_the_order_pressed": [entry["to"]["decision"] for entry in made_by_keys] == wanted,
        "different_samples": len({entry["sample_id"] for entry in made_by_keys}),
    }


def _log(service: Service, job: Job) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    url: str | None = f"/v1/datasets/{job.dataset_id}/decisions?limit=500"
    while url:
        reply = service.http.get(url).raise_for_status()
        items += reply.json()["items"]
        url = reply.links.get("next", {}).get("url")
    return items


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 1),
        "max": round(max(values), 1),
        "n": len(values),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--findings", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
