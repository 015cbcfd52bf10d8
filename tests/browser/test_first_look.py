"""The tab of the samples to look at first."""

from playwright.sync_api import expect

from app.findings.publish_repository import PublishRepository
from app.models import ResultVersion
from tests.browser.conftest import OpenPage
from tests.browser.rows import Seed
from tests.browser.suspects import Suspects, make_suspects
from tests.browser.test_review_queue import all_saved, log_of, press
from tests.support.service import Service

RATES = {
    "before": {"noise_rate": 0.1, "noise_rate_interval": [0.0, 0.18]},
    "after": {"noise_rate": 0.12, "noise_rate_interval": [0.07, 0.16]},
}


def choose(seed: Seed, suspects: Suspects, places: list[int]) -> None:
    looks = [(suspects.sample_ids[place], number % 2 == 0) for number, place in enumerate(places)]
    with seed.database.unit_of_work() as session:
        PublishRepository(session, suspects.job.tenant_id, suspects.job.id).set_first_look(looks)


def test_thirty_are_decided_by_keyboard_without_a_suggestion(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 60)
    order = [(7 * place) % 60 for place in range(40)]
    choose(seed, suspects, order)
    page = open_page(suspects.review_path)
    page.get_by_role("link", name="Look first").click()
    expect(page.locator(".tile")).to_have_count(30)
    expect(page.locator(".tile[data-suggested]:not([data-suggested=''])")).to_have_count(0)
    press(page, "s d " * 15)
    expect(page.locator(".tile")).to_have_count(10)  # the next page came by itself
    all_saved(page, service, suspects, 30)
    decided = [entry["sample_id"] for entry in log_of(service, suspects)]
    shown = service.http.get(f"/v1/jobs/{suspects.job.id}/review/first-look?limit=30").json()
    assert decided == [look["sample_id"] for look in shown["items"]]


def test_both_intervals_are_told_once_the_service_has_learned(
    open_page: OpenPage, seed: Seed
) -> None:
    suspects = make_suspects(seed, 6)
    choose(seed, suspects, [0, 1])
    with seed.database.unit_of_work() as session:
        version = session.get_one(ResultVersion, suspects.job.result_version)
        version.calibration = {"rates": RATES}
    page = open_page(f"{suspects.review_path}/first-look")
    told = page.get_by_label("What these decisions tell")
    expect(told).to_contain_text("at most 18 % of the labels are wrong")
    expect(told).to_contain_text("between 7.0 % and 16 %")


def test_an_audit_that_judged_nothing_says_so(open_page: OpenPage, seed: Seed) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(f"{suspects.review_path}/first-look")
    expect(page.get_by_role("heading", name="No samples were chosen")).to_be_visible()
