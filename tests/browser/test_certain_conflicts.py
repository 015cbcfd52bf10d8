"""One picture under two labels, decided together."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from app.models import DuplicateKind, Finding, Sample
from tests.browser.conftest import OpenPage
from tests.browser.rows import Seed
from tests.browser.suspects import Suspects, make_suspects
from tests.browser.test_review_queue import all_saved, log_of, press
from tests.support.service import Service


@pytest.fixture
def torn(seed: Seed) -> Suspects:
    """The first two of six suspects have the same file."""
    suspects = make_suspects(seed, 6)
    with seed.database.unit_of_work() as session:
        first, second = (session.get_one(Sample, each) for each in suspects.sample_ids[:2])
        for sample in (first, second):
            sample.sha256, sample.duplicate_group, sample.picture = first.sha256, 0, 0
            sample.duplicate_kind, sample.conflicting = DuplicateKind.EXACT, True
        session.execute(
            update(Finding)
            .where(Finding.sample_id.in_(suspects.sample_ids[:2]))
            .values(verdict="conflict")
        )
    return suspects


def test_both_labels_are_shown_and_the_right_one_is_given_to_both(
    open_page: OpenPage, torn: Suspects, service: Service
) -> None:
    page = open_page(torn.review_path)
    first, second = (page.locator(".tile").nth(place) for place in (0, 1))
    given = [tile.get_attribute("data-given") or "" for tile in (first, second)]
    expect(first.locator(".tile__twin")).to_have_text(f"Same picture: {given[1]}")
    expect(second.locator(".tile__twin")).to_have_text(f"Same picture: {given[0]}")

    press(page, "Shift+ArrowRight a")
    expect(page.locator("#said")).to_contain_text("Certain conflicts: press /")
    assert log_of(service, torn) == []
    press(page, "/")
    page.get_by_role("combobox", name="Search classes").fill(given[1])
    press(page, "Enter")
    all_saved(page, service, torn, 2)
    made = [(entry["to"]["decision"], entry["to"]["label"]) for entry in log_of(service, torn)]
    assert made == [("relabel", given[1]), ("keep", None)]


def test_the_page_of_one_leads_to_the_other(open_page: OpenPage, torn: Suspects) -> None:
    page = open_page(torn.review_path)
    second = page.locator(".tile").nth(1).get_attribute("data-sample")
    press(page, "o")
    card = page.locator(".card", has_text="The same picture again")
    card.get_by_role("link").click()
    page.wait_for_url(f"**/samples/{second}?**")
