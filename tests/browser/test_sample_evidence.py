"""The page of a sample: its losses beside its class, and pictures to compare it with."""

from playwright.sync_api import Page, expect

from app.models import Sample
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.rows import Seed
from tests.browser.suspects import Suspects, keep_evidence, make_suspects
from tests.browser.test_review_queue import press

CLASSES = ["cat", "dog", "<b>fox</b>"]


def _open_sample(open_page: OpenPage, suspects: Suspects, place: int) -> Page:
    return open_page(
        f"/jobs/{suspects.job.id}/samples/s{suspects.sample_ids[place]:016x}?flagged=any"
    )


def test_shows_the_curve_and_the_most_similar_samples(open_page: OpenPage, seed: Seed) -> None:
    suspects = make_suspects(seed, 20, classes=CLASSES)
    keep_evidence(seed, suspects, num_epochs=3)
    page = _open_sample(open_page, suspects, 1)
    chart = page.get_by_role("img", name="Loss of this sample: 2.66 after the first epoch")
    expect(chart.locator("canvas")).to_be_visible()
    expect(page.get_by_text("In 3 of 3 epochs")).to_be_visible()
    headings = page.locator(".alike__heading")
    expect(headings).to_have_text(["Same label: dog", "Suggested class: <b>fox</b>"])
    expect(page.locator(".alike__link")).to_have_count(8)
    page.get_by_role("link", name="dog/0004.png").click()
    page.wait_for_url(f"**/samples/s{suspects.sample_ids[4]:016x}?*flagged=any*")
    expect(page.locator("#board-title")).to_have_text("dog/0004.png")


def test_the_curve_is_drawn_again_after_a_decision(open_page: OpenPage, seed: Seed) -> None:
    suspects = make_suspects(seed, 4)
    keep_evidence(seed, suspects, num_epochs=1)
    page = _open_sample(open_page, suspects, 0)
    expect(page.locator("loss-curve canvas")).to_be_visible()
    press(page, "s")
    expect(page.locator(".history__entry")).to_contain_text("Kept")
    expect(page.locator("loss-curve canvas")).to_have_count(1)


def test_rows_of_scores_are_compared_by_their_names(
    open_page: OpenPage, seed: Seed, shots: Shots
) -> None:
    suspects = make_suspects(seed, 8)
    keep_evidence(seed, suspects, num_epochs=0)
    with seed.database.unit_of_work() as session:
        for sample_id in suspects.sample_ids:
            session.get_one(Sample, sample_id).sha256 = None
    page = _open_sample(open_page, suspects, 0)
    expect(page.locator(".alike__name")).to_have_count(8)
    expect(page.locator("loss-curve, .alike__image")).to_have_count(0)
    shots.take(page, "sample-scores")
    assert_accessible(page)
