"""Where a page or the queue ends: nothing is decided twice, and nothing by a key that is held."""

from playwright.sync_api import Page, Route, expect

from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.rows import Seed
from tests.browser.suspects import make_suspects
from tests.browser.test_every_page import CLASSES
from tests.browser.test_review_queue import PAGE_SIZE, all_saved, current_rank, log_of, press
from tests.support.service import Service


def _said(page: Page) -> str:
    """Return what is said where everybody can read it."""
    said = page.locator("#said:not(.visually-hidden)")
    said.wait_for()
    return said.inner_text()


def test_the_next_page_comes_by_itself_and_a_key_before_it_decides_nothing(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, PAGE_SIZE + 6)
    page = open_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/review?*cursor=*", hold)
    page.goto(suspects.review_path)
    press(page, "a " * PAGE_SIZE + "s e /")
    assert "next page is on its way" in _said(page)
    all_saved(page, service, suspects, PAGE_SIZE)
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(50)
    for route in held:
        route.continue_()
    expect(page.locator(".tile[data-decision='']")).to_have_count(6)
    assert "cursor=" in page.url
    assert current_rank(page) == 0
    press(page, "s")
    all_saved(page, service, suspects, PAGE_SIZE + 1)
    decided = [entry["to"]["decision"] for entry in log_of(service, suspects)]
    assert decided == ["relabel"] * PAGE_SIZE + ["keep"]


def test_the_next_page_begins_at_its_first_undecided_sample(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, PAGE_SIZE + 6)
    third = f"s{suspects.sample_ids[PAGE_SIZE]:016x}"
    url = f"/v1/samples/{third}/decision"
    service.http.put(url, json={"decision": "keep"}, headers={"If-Match": "1"}).raise_for_status()
    page = open_page(f"{suspects.review_path}?decision=any")
    press(page, "End a")
    expect(page.locator(".tile")).to_have_count(6)
    assert current_rank(page) == 1


def test_a_key_that_is_held_decides_once(open_page: OpenPage, seed: Seed, service: Service) -> None:
    suspects = make_suspects(seed, 8)
    page = open_page(suspects.review_path)
    for _ in range(5):
        page.keyboard.down("s")  # after the first one these are repeats
    page.keyboard.up("s")
    assert current_rank(page) == 1
    page.get_by_role("button", name="Unsure").focus()
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    all_saved(page, service, suspects, 2)
    page.locator(".tile").nth(2).focus()
    for _ in range(3):
        page.keyboard.down("ArrowRight")  # moving may repeat
    page.keyboard.up("ArrowRight")
    assert current_rank(page) == 5
    for _ in range(3):
        page.keyboard.down("z")
    page.keyboard.up("z")
    all_saved(page, service, suspects, 3)


def test_the_last_page_ends_and_says_so(
    open_page: OpenPage, seed: Seed, service: Service, shots: Shots
) -> None:
    suspects = make_suspects(seed, 6, classes=CLASSES)
    page = open_page(suspects.review_path)
    ending = page.locator("#ending")
    expect(ending).to_be_hidden()
    press(page, "ArrowRight s s s s s")  # the first one is skipped
    expect(ending).to_contain_text("You reached the end")
    expect(ending).to_contain_text("1 sample before this place is still to do")
    press(page, "a 3 e / d")
    assert "decides nothing" in _said(page)
    expect(page.locator("dialog[open]")).to_have_count(0)
    all_saved(page, service, suspects, 5)
    shots.take(page, "review-ended")
    assert_accessible(page)

    press(page, "z")
    expect(ending).to_be_hidden()
    expect(page.locator("#said:not(.visually-hidden)")).to_have_count(0)
    expect(page.locator(".tile").last).to_be_focused()
    press(page, "d")
    expect(ending).to_be_visible()
    all_saved(page, service, suspects, 7)
    ending.get_by_role("link", name="Go to what was skipped").click()
    expect(page.locator(".tile")).to_have_count(1)
    press(page, "s")
    expect(ending).to_contain_text("Nothing is left to do here")


def test_a_decided_sample_is_decided_anew_only_after_a_step_back(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 2)
    page = open_page(suspects.review_path)
    press(page, "s s a")
    assert "decides nothing" in _said(page)
    press(page, "ArrowLeft a")
    all_saved(page, service, suspects, 3)
    press(page, "d")  # at the end again, though on a decided sample
    page.locator(".tile").first.click()
    press(page, "d")
    all_saved(page, service, suspects, 4)
    decided = [entry["to"]["decision"] for entry in log_of(service, suspects)]
    assert decided == ["keep", "keep", "relabel", "unsure"]


def test_those_that_were_unsure_are_walked_through_like_any_others(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 3)
    page = open_page(suspects.review_path)
    press(page, "d d d")
    all_saved(page, service, suspects, 3)
    page.goto(f"{suspects.review_path}?decision=unsure")
    press(page, "s a s s")
    expect(page.locator("#ending")).to_be_visible()
    all_saved(page, service, suspects, 6)
    decided = [entry["to"]["decision"] for entry in log_of(service, suspects)]
    assert decided[3:] == ["keep", "relabel", "keep"]


def test_undo_goes_back_to_the_page_of_the_decision(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, PAGE_SIZE + 2)
    page = open_page(suspects.review_path)
    press(page, "End s")
    expect(page.locator(".tile")).to_have_count(2)
    press(page, "z")
    expect(page.locator(".tile")).to_have_count(PAGE_SIZE)
    expect(page.locator(".tile").last).to_be_focused()
    expect(page.locator(".tile[data-decision='']")).to_have_count(PAGE_SIZE)
    press(page, "a")
    expect(page.locator(".tile")).to_have_count(2)
    all_saved(page, service, suspects, 3)


def test_a_bulk_decision_that_is_undone_fills_the_page_again(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 10)
    page = open_page(suspects.review_path)
    press(page, "b")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Decide on 10 samples").click()
    page.get_by_role("heading", name="Every flagged label is decided").wait_for()
    press(page, "z")
    expect(page.locator(".tile[data-decision='']")).to_have_count(10)
    page.get_by_text("Undone: 10 samples", exact=True).wait_for()
    assert current_rank(page) == 0
    all_saved(page, service, suspects, 20)


def test_the_page_of_a_sample_takes_one_decision(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 3)
    page = open_page(f"/jobs/{suspects.job.id}/samples/s{suspects.sample_ids[0]:016x}")
    press(page, "a s")
    assert "N goes on" in _said(page)
    all_saved(page, service, suspects, 1)
    press(page, "z")
    page.get_by_text("Undone: 1 sample").wait_for()
    press(page, "s")
    all_saved(page, service, suspects, 3)
    page.reload()  # who opens a decided sample may decide anew
    press(page, "d")
    all_saved(page, service, suspects, 4)


def test_a_share_ends_with_how_many_are_left(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    url = f"/v1/jobs/{suspects.job.id}/claims"
    service.http.post(url, json={"count": 3}).raise_for_status()
    page = open_page(f"{suspects.review_path}/share")
    press(page, "ArrowRight s s s")
    ending = page.locator("#ending")
    expect(ending).to_contain_text("1 of your share is still to do")
    press(page, "n s")
    expect(ending).to_contain_text("Your share is done")
    press(page, "s")
    all_saved(page, service, suspects, 3)
    press(page, "n")
    expect(page.locator(".tile[data-decision='']")).to_have_count(3)
    expect(ending).to_be_hidden()
