"""What holds for each page: add yours to `PAGES`."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.core.clock import utc_now
from app.models import DatasetState, Finding, JobKind, JobState
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.reports import histogram
from tests.browser.rows import Seed
from tests.browser.suspects import keep_evidence, make_suspects

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def _datasets(seed: Seed) -> str:
    old = utc_now() - timedelta(days=45)
    failed = seed.dataset(
        name="scans-from-the-archive.tar.gz", classes=[], created_at=old, state=DatasetState.FAILED
    )
    seed.job(
        failed, kind=JobKind.AUDIT, state=JobState.FAILED, stage="ingest",
        error_code="too_few_classes",
        error_detail="All images are in one class, cat: there is nothing to compare.",
    )  # fmt: skip
    waiting = seed.dataset(name="birds of the garden", classes=[], state=DatasetState.PENDING)
    seed.job(waiting, state=JobState.RUNNING, stage="ingest", fraction=0.03)
    running = seed.dataset(
        name="cifar-10", classes=CLASSES, num_samples=50_000, num_rejected=3,
        created_at=utc_now() - timedelta(hours=3),
    )  # fmt: skip
    seed.job(
        running, state=JobState.RUNNING, stage="train", fraction=0.41, epoch=12, epochs=30,
        eta_seconds=1260.0,
    )  # fmt: skip
    seed.audited(name="a-very-long-name-without-any-space-" * 5, num_samples=9)
    seed.audited(name='<script>alert("x")</script> & Söhne', num_samples=40)
    return "/datasets"


def _no_datasets(_seed: Seed) -> str:
    return "/datasets"


def _review(seed: Seed) -> str:
    suspects = make_suspects(seed, 60, classes=CLASSES, name="cifar-10")
    return suspects.review_path


def _review_filtered(seed: Seed) -> str:
    classes = ["<b>cat</b>", "Ünïcödé-类别-" * 20, "dog"]
    suspects = make_suspects(seed, 9, classes=classes, name="a-name-without-space" * 10)
    return f"{suspects.review_path}?decision=any&min_p=0.1&flagged=any"


def _review_done(seed: Seed) -> str:
    return make_suspects(seed, 4, num_flagged=0).review_path


def _review_not_judged(seed: Seed) -> str:
    suspects = make_suspects(seed, 4, num_flagged=0)
    with seed.database.unit_of_work() as session:
        session.execute(update(Finding).values(p_mislabeled=None, verdict="not_judged"))
    return suspects.review_path


def _sample(seed: Seed) -> str:
    suspects = make_suspects(seed, 60, classes=CLASSES, name="cifar-10")
    keep_evidence(seed, suspects)
    return f"/jobs/{suspects.job.id}/samples/s{suspects.sample_ids[1]:016x}"


def _sample_of_an_older_audit(seed: Seed) -> str:
    suspects = make_suspects(seed, 4, classes=CLASSES, name="cifar-10")
    return f"/jobs/{suspects.job.id}/samples/s{suspects.sample_ids[1]:016x}"


def _missing(_seed: Seed) -> str:
    return "/no-such-page"


def _running_job(seed: Seed) -> str:
    dataset = seed.dataset(name="cifar-10", classes=CLASSES, num_samples=50_000, num_rejected=3)
    job = seed.job(
        dataset, state=JobState.RUNNING, stage="train", fraction=0.41, epoch=12, epochs=30,
        eta_seconds=1260.0, images_per_second=2150.4, started_at=utc_now(),
        metrics={"noise_rate": 0.021, "loss_histogram": histogram()},
    )  # fmt: skip
    return f"/jobs/{job.id}"


def _failed_job(seed: Seed) -> str:
    dataset = seed.dataset(name="scans", classes=[], state=DatasetState.FAILED)
    job = seed.job(
        dataset, state=JobState.FAILED, stage="ingest", error_code="too_few_classes",
        error_detail="All images are in one class, cat: there is nothing to compare.",
    )  # fmt: skip
    return f"/jobs/{job.id}"


def _stored_only(seed: Seed) -> str:
    dataset = seed.dataset(name="birds")
    job = seed.job(dataset, kind=JobKind.INGEST, state=JobState.SUCCEEDED, finished_at=utc_now())
    return f"/jobs/{job.id}"


PAGES: dict[str, Callable[[Seed], str]] = {
    "datasets": _datasets,
    "datasets-empty": _no_datasets,
    "job-running": _running_job,
    "job-failed": _failed_job,
    "job-stored": _stored_only,
    "review": _review,
    "review-filtered": _review_filtered,
    "review-done": _review_done,
    "review-not-judged": _review_not_judged,
    "sample": _sample,
    "sample-older": _sample_of_an_older_audit,
    "not-found": _missing,
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_and_fits_every_screen(
    name: str, open_page: OpenPage, seed: Seed, shots: Shots
) -> None:
    page = open_page(PAGES[name](seed))
    shots.take(page, name)
    assert_accessible(page)


def test_sign_in_page_is_accessible_too(open_page: OpenPage, shots: Shots) -> None:
    page = open_page("/sign-in", signed_in=False)
    page.fill("#key", "la_live_nonsense")
    page.click("text=Sign in >> nth=-1")
    page.wait_for_selector("#key-error")
    shots.take(page, "sign-in")
    assert_accessible(page)
