from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from app.models import Job, JobState
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.reports import histogram, picture, publish_report, report
from tests.browser.rows import Seed
from tests.browser.test_every_page import CLASSES
from tests.support.service import Service
from tests.support.waiting import wait_for

STRANGE = ['<img src=x onerror="document.title=1">', "=cmd()|x", "狗" * 85, "a & b / c?d=e#f"]
Media = Literal["screen", "print"]
LONG = [f"{letter * 30}_ssp_{'Wijsneus' * 5}_{letter}" for letter in "abcdefghijkl"]
A4_WIDTH = 794
_OVERLAPS = """() => {
    // What stands in a suspect's tile must stay in it, and one below the other.
    const boxes = (each) => [...each.children].map((child) => child.getBoundingClientRect());
    return [...document.querySelectorAll(".suspect")].flatMap((tile) => {
        const outer = tile.getBoundingClientRect();
        return boxes(tile).flatMap((box, place, all) => [
            ...(box.right > outer.right + 1 || box.left < outer.left - 1 ? ["sticks out"] : []),
            ...(place && box.top < all[place - 1].bottom - 1 ? ["overlaps"] : []),
        ]);
    });
}"""
WARNINGS = ["3 samples are in classes too small to be judged."]


@pytest.fixture
def audited(seed: Seed, service: Service) -> Job:
    """A finished audit of ten classes with its report, its model and its pictures."""
    dataset, job = seed.audited(name="cifar-10", classes=CLASSES, num_samples=40)
    picture(service, seed, dataset)
    publish_report(service, seed, job, report(CLASSES, warnings=WARNINGS))
    return job


def _painted(page_chart: str) -> str:
    """Return a function that tells whether a chart has more colours than its empty frame.

    A bare expression would be an eval once it is polled, which the page forbids.
    """
    return f"""() => {{
        const canvas = document.querySelector("{page_chart} canvas");
        if (!canvas) return false;
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(pixels.data.buffer)).size > 4;
    }}"""


def test_a_running_job_moves_on_and_ends_in_its_results(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    _, job = seed.audited(name="pets")
    publish_report(service, seed, job, report(["cat", "dog"]))
    seed.change(
        job, state=JobState.RUNNING, stage="train", epoch=1, epochs=9, fraction=0.1,
        owner="nobody", lease_until=4e9, metrics={"noise_rate": 0.2, "loss_histogram": histogram()},
    )  # fmt: skip
    version, job.result_version = job.result_version, None
    seed.change(job, result_version=None)
    page = open_page(f"/jobs/{job.id}")
    page.evaluate("window.isThisVeryPage = true")
    page.get_by_text("1 of 9").wait_for()
    page.wait_for_function(_painted("loss-chart"))
    canvas = page.locator("loss-chart canvas").element_handle()

    seed.change(job, epoch=2, fraction=0.2)
    page.get_by_text("2 of 9").wait_for()
    assert canvas.is_visible()  # the chart stays where it is

    seed.change(job, state=JobState.SUCCEEDED, stage="done", result_version=version)
    page.get_by_role("heading", name="What was found").wait_for()
    page.wait_for_function(_painted("loss-chart"))
    assert page.locator("#job-poll").count() == 0
    assert page.evaluate("window.isThisVeryPage")


def test_a_job_is_cancelled_and_tried_again(open_page: OpenPage, seed: Seed) -> None:
    job = seed.job(seed.dataset(), state=JobState.RUNNING, stage="train")
    page = open_page(f"/jobs/{job.id}")
    page.get_by_role("button", name="Cancel the job").click()
    page.get_by_role("button", name="Stopping …").wait_for()
    seed.change(job, state=JobState.CANCELLED)
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Cancel the job").wait_for()


def test_results_are_told_in_plain_words(open_page: OpenPage, audited: Job, shots: Shots) -> None:
    page = open_page(f"/jobs/{audited.id}")
    text = page.locator("main").inner_text()
    assert "Between 0.95 % and 1.6 % of the labels are wrong" in text.replace("\xa0", " ")
    assert "The best single guess is 1.2 %." in text.replace("\xa0", " ")
    assert WARNINGS[0] in text
    page.wait_for_function(_painted("loss-chart"))
    shots.take(page, "job-done")
    assert_accessible(page)


def test_cells_of_the_heat_map_lead_to_the_queue_of_their_pair(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    _, job = seed.audited(name=STRANGE[0], classes=STRANGE)
    publish_report(service, seed, job, report(STRANGE))
    page = open_page(f"/jobs/{job.id}")
    assert page.locator("h1").inner_text() == STRANGE[0]
    assert page.locator(".heat tbody th").all_inner_texts() == sorted(STRANGE)
    seen = set()
    for link in page.locator(".heat__link").all():
        url = urlsplit(link.get_attribute("href") or "")
        [label], [suggested] = parse_qs(url.query)["label"], parse_qs(url.query)["suggested_label"]
        assert url.path == f"/jobs/{job.id}/review"
        seen.add((label, suggested))
    assert {(pair["given"], pair["suggested"]) for pair in report(STRANGE)["class_pairs"]} == seen
    assert_accessible(page)


def test_report_is_one_page_that_prints(open_page: OpenPage, audited: Job, shots: Shots) -> None:
    page = open_page(f"/jobs/{audited.id}/report")
    pictures = page.locator(".suspect__image")
    assert pictures.count() == 20
    wait_for(
        lambda: pictures.evaluate_all("all => all.every(one => one.naturalWidth > 0)"),
        seconds=10, what="the thumbnails are there",
    )  # fmt: skip
    shots.take(page, "report")
    assert_accessible(page)
    page.emulate_media(media="print")
    assert not page.locator(".site-header").is_visible()
    page.screenshot(path=shots.folder / "report-print.png", full_page=True)
    page.pdf(path=shots.folder / "report.pdf")


@pytest.mark.parametrize(
    ("media", "width"), [("screen", 1440), ("screen", 1280), ("screen", 390), ("print", A4_WIDTH)]
)
def test_long_class_names_neither_overlap_nor_widen_the_report(
    open_page: OpenPage, seed: Seed, service: Service, shots: Shots, media: Media, width: int
) -> None:
    dataset, job = seed.audited(name="breeds", classes=LONG, num_samples=48)
    picture(service, seed, dataset)
    publish_report(service, seed, job, report(LONG))
    page = open_page(f"/jobs/{job.id}/report", viewport={"width": width, "height": 900})
    page.emulate_media(media=media)
    assert page.locator(".suspect").count() == 24
    page.screenshot(path=shots.folder / f"report-long-{media}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_OVERLAPS) == []
    page.pdf(path=shots.folder / "report-long.pdf", format="A4")


def test_export_dialog_is_accessible_and_says_what_is_wrong(
    open_page: OpenPage, audited: Job, shots: Shots
) -> None:
    page = open_page(f"/jobs/{audited.id}")
    page.get_by_role("button", name="Export").click()
    page.get_by_label("With decisions and suggestions").check()
    page.get_by_label("Take suggestions that are at least").fill("95")
    page.route("**/exports", lambda route: route.fulfill(
        status=409, content_type="application/problem+json",
        body='{"code": "dataset_not_ready", "detail": "The data set is being read."}',
    ))  # fmt: skip
    page.get_by_role("button", name="Write the file").click()
    page.get_by_role("dialog").get_by_text("The data set is being read.").wait_for()
    shots.take(page, "export-dialog")
    assert_accessible(page)
