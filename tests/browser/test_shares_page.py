"""Several reviewers: a share of one's own, blind, and what two see differently, by keyboard."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import expect

from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.rows import Seed
from tests.browser.suspects import Suspects, keep_evidence, make_suspects
from tests.browser.test_every_page import CLASSES
from tests.browser.test_review_queue import all_saved, log_of, press
from tests.support.service import Service


@pytest.fixture
def ann(service: Service) -> Iterator[httpx2.Client]:
    """Another reviewer, with a key of her own."""
    body = {"name": "Ann", "scopes": ["read", "review"]}
    key = service.http.post("/v1/keys", json=body).raise_for_status().json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=service.url, headers=headers) as client:
        yield client


def take(client: httpx2.Client, suspects: Suspects, **wanted: object) -> list[str]:
    reply = client.post(f"/v1/jobs/{suspects.job.id}/claims", json=wanted).raise_for_status()
    return [item["sample_id"] for item in reply.json()["items"]]


def decide(client: httpx2.Client, sample_id: str, **body: object) -> None:
    url = f"/v1/samples/{sample_id}/decision"
    client.put(url, json=body, headers={"If-Match": "*"}).raise_for_status()


def test_a_share_is_taken_worked_off_and_given_back_by_keyboard(
    open_page: OpenPage, seed: Seed, service: Service, ann: httpx2.Client, shots: Shots
) -> None:
    suspects = make_suspects(seed, 30, classes=CLASSES, name="cifar-10")
    theirs = take(ann, suspects, count=2)
    page = open_page(f"{suspects.review_path}/share")
    page.locator("#share-options summary").click()
    page.get_by_label("Samples at a time").select_option("12")
    page.get_by_label("Seen by a second person too").select_option("0.1")
    assert_accessible(page)
    shots.take(page, "share-empty")
    page.goto(suspects.review_path)
    press(page, "c")
    page.wait_for_url("**/review/share")
    expect(page.locator(".tile")).to_have_count(12)
    ids = [tile.get_attribute("data-sample") for tile in page.locator(".tile").all()]
    assert not set(ids) & set(theirs)

    press(page, "a s d")
    expect(page.locator("#share-left")).to_have_text("9 left")
    press(page, "n")  # some are left: these first
    expect(page.locator(".tile")).to_have_count(12)
    shots.take(page, "share")
    assert_accessible(page)
    press(page, "a " * 9)
    expect(page.locator("#share-left")).to_have_text("All done")
    press(page, "n")
    expect(page.locator(".tile[data-decision='']")).to_have_count(12)
    all_saved(page, service, suspects, 12)
    press(page, "r")
    page.get_by_text("12 samples given back.").wait_for()
    expect(page.get_by_role("heading", name="Nothing is yours at the moment")).to_be_visible()


def test_a_blind_share_shows_no_suggestion_and_takes_none(
    open_page: OpenPage, seed: Seed, service: Service, shots: Shots
) -> None:
    suspects = make_suspects(seed, 12, classes=CLASSES, name="cifar-10")
    keep_evidence(seed, suspects)
    take(service.http, suspects, count=12, blind=True)
    page = open_page(f"{suspects.review_path}/share")
    expect(page.locator(".tile")).to_have_count(12)
    expect(page.locator(".tile__chance, .tile__suggested, .tile__verdict")).to_have_count(0)
    expect(page.get_by_role("button", name="Accept suggestion")).to_be_hidden()
    press(page, "a 1")
    expect(page.locator("#said")).to_have_text("No suggestion is shown here.")
    assert log_of(service, suspects) == []
    press(page, "4 2")
    all_saved(page, service, suspects, 2)
    assert [entry["to"]["label"] for entry in log_of(service, suspects)][1] is None
    shots.take(page, "share-blind")
    press(page, "o")
    page.wait_for_url("**/samples/s*share=yes")
    shots.take(page, "sample-blind")
    assert_accessible(page)
    told = page.locator("#alike-title, loss-curve, .signals")
    expect(told).to_have_count(0)
    press(page, "s")
    expect(told).to_have_count(3)


def test_differences_are_settled_by_keyboard(
    open_page: OpenPage, seed: Seed, service: Service, ann: httpx2.Client, shots: Shots
) -> None:
    suspects = make_suspects(seed, 8, classes=CLASSES, name="cifar-10")
    shared = take(ann, suspects, count=6, overlap=1.0)
    for sample_id in shared:
        decide(ann, sample_id, decision="keep")
    take(service.http, suspects, count=6)
    for place, sample_id in enumerate(shared):
        bodies = ({"decision": "keep"}, {"decision": "relabel", "label": "frog"})
        decide(service.http, sample_id, **bodies[place % 2])
    page = open_page(suspects.review_path)
    for name in ("first-look", "share", "differences"):
        press(page, "g")
        page.wait_for_url(f"**/review/{name}")
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_text("Two people looked at 6 samples and see 3 of them alike: 50").wait_for()
    shots.take(page, "differences")
    assert_accessible(page)
    press(page, "1 2 d")
    all_saved(page, service, suspects, 15)
    settled = [entry["to"] for entry in log_of(service, suspects)[-3:]]
    assert [each["decision"] for each in settled] == ["keep", "relabel", "unsure"]
    assert settled[1]["label"] == "frog"
    page.reload()
    expect(page.get_by_role("heading", name="Nothing to settle")).to_be_visible()


def test_the_counter_tells_the_columns_of_a_narrow_screen(open_page: OpenPage, seed: Seed) -> None:
    suspects = make_suspects(seed, 12)
    page = open_page(suspects.review_path, viewport={"width": 820, "height": 1100})
    expect(page.locator("#columns")).to_have_text("4")
    press(page, "+")
    expect(page.locator("#columns")).to_have_text("4")
    press(page, "-")
    expect(page.locator("#columns")).to_have_text("3")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator("#columns")).to_have_text("3")
