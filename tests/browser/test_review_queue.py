"""The review queue, by keyboard, against the log of the service."""

from collections import Counter
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.rows import Seed
from tests.browser.suspects import Suspects, make_suspects
from tests.support.service import Service

PAGE_SIZE = 48


def log_of(service: Service, suspects: Suspects) -> list[dict[str, Any]]:
    """Walk the whole log, oldest first."""
    items: list[dict[str, Any]] = []
    url: str | None = f"/v1/datasets/{suspects.dataset.id}/decisions?limit=500"
    while url:
        reply = service.http.get(url).raise_for_status()
        items += reply.json()["items"]
        url = reply.links.get("next", {}).get("url")
    return items


def all_saved(page: Page, service: Service, suspects: Suspects, num_entries: int) -> None:
    """Wait until the log holds so many entries."""
    for _ in range(200):
        if len(log_of(service, suspects)) >= num_entries:
            break
        page.wait_for_timeout(50)
    page.wait_for_function("() => !document.querySelector('[data-state=pending]')")
    assert len(log_of(service, suspects)) == num_entries


def current_rank(page: Page) -> int:
    """Return the place of the current tile on its page, from 0."""
    place = page.evaluate(
        "[...document.querySelectorAll('.tile')].indexOf(document.activeElement.closest('.tile'))"
    )
    return int(place)


def press(page: Page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def test_a_sitting_by_keyboard(open_page: OpenPage, seed: Seed, service: Service) -> None:
    suspects = make_suspects(seed, 60)
    page = open_page(suspects.review_path)
    expect(page.locator(".tile")).to_have_count(PAGE_SIZE)
    assert current_rank(page) == 0

    press(page, "a s d " * 6 + "e o e d")  # twenty decisions
    assert current_rank(page) == 20
    all_saved(page, service, suspects, 20)
    kinds = Counter(entry["to"]["decision"] for entry in log_of(service, suspects))
    assert kinds == {"relabel": 6, "keep": 6, "unsure": 6, "exclude": 2}
    assert [entry["to"]["reason"] for entry in log_of(service, suspects)[-2:]] == [
        "off_topic",
        "duplicate",
    ]

    press(page, "z")
    page.get_by_text("Undone: 1 sample").wait_for()
    assert current_rank(page) == 19
    press(page, "y")
    page.get_by_text("Done again: 1 sample").wait_for()

    press(page, "ArrowRight Shift+ArrowRight Shift+L Shift+ArrowRight")
    expect(page.locator("[aria-selected=true]")).to_have_count(4)
    press(page, "a")
    all_saved(page, service, suspects, 26)
    assert len({entry["step_id"] for entry in log_of(service, suspects)[-4:]}) == 1
    press(page, "z")
    page.get_by_text("Undone: 4 samples").wait_for()
    all_saved(page, service, suspects, 30)


def test_filters_and_page_stand_in_the_address_and_the_place_survives_a_reload(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 120)
    page = open_page(suspects.review_path)
    press(page, "f")
    page.get_by_label("Given label").fill("cat")
    page.get_by_label("Likely wrong, from").fill("0.1")
    page.get_by_role("button", name="Show these").click()
    page.wait_for_url("**label=cat**min_p=0.1**")
    expect(page.locator(".tile")).to_have_count(PAGE_SIZE)
    assert set(page.locator(".tile__given").all_inner_texts()) == {"cat"}

    press(page, "n")
    page.wait_for_url("**cursor=**")
    press(page, "ArrowRight ArrowRight ArrowRight")
    chosen = page.evaluate("document.activeElement.id")
    page.reload()
    expect(page.locator(f"#{chosen}")).to_be_focused()
    assert "cursor=" in page.url
    assert "label=cat" in page.url
    press(page, "s")
    all_saved(page, service, suspects, 1)
    page.go_back()
    page.wait_for_function("() => !location.search.includes('cursor')")


def test_every_key_becomes_exactly_one_decision(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    num_samples, keys = 100, "asd"
    suspects = make_suspects(seed, num_samples)
    page = open_page(suspects.review_path)
    wanted: list[str] = []
    while len(wanted) < num_samples:
        on_page = min(PAGE_SIZE, num_samples - len(wanted))
        expect(page.locator(".tile[data-decision='']")).to_have_count(on_page)
        for _ in range(on_page):
            key = keys[len(wanted) % len(keys)]
            page.keyboard.press(key)
            wanted.append({"a": "relabel", "s": "keep", "d": "unsure"}[key])
    all_saved(page, service, suspects, num_samples)
    log = log_of(service, suspects)
    assert [entry["to"]["decision"] for entry in log] == wanted
    assert len({entry["sample_id"] for entry in log}) == num_samples


def test_without_network_nothing_is_lost_and_a_retry_sends_it(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    page.route("**/decision", lambda route: route.abort())
    press(page, "s s a")
    page.get_by_text("not saved: The service does not answer.").first.wait_for()
    expect(page.locator("[data-state=pending]")).to_have_count(3)
    assert log_of(service, suspects) == []
    page.unroute("**/decision")
    page.get_by_role("button", name="Try again").click()
    all_saved(page, service, suspects, 3)
    expect(page.locator(".toast")).to_have_count(0)


def test_a_lost_answer_doubles_nothing(open_page: OpenPage, seed: Seed, service: Service) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/decision", lose_answer)
    press(page, "a")
    page.get_by_role("button", name="Try again").wait_for()
    page.unroute("**/decision")
    press(page, "s")
    page.get_by_role("button", name="Try again").click()
    all_saved(page, service, suspects, 2)
    assert page.locator("dialog[open]").count() == 0
    press(page, "z z")
    all_saved(page, service, suspects, 4)
    expect(page.locator(".tile[data-decision='']")).to_have_count(6)


def test_a_faster_reviewer_is_shown_with_both_choices(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    first = page.locator(".tile").first
    url = f"/v1/samples/{first.get_attribute('data-sample')}/decision"
    other = {"decision": "exclude", "reason": "unreadable"}
    service.http.put(url, json=other, headers={"If-Match": "1"}).raise_for_status()

    press(page, "s")
    dialog = page.get_by_role("dialog", name="Somebody was faster")
    expect(dialog.locator("#conflict-theirs")).to_have_text("Excluded: unreadable")
    expect(dialog.locator("#conflict-mine")).to_have_text("Kept")
    expect(first.locator(".tile__decision")).to_have_text("Excluded: unreadable")
    dialog.get_by_role("button", name="Use mine").click()
    all_saved(page, service, suspects, 2)
    expect(first.locator(".tile__decision")).to_have_text("Kept")


def test_a_selection_that_somebody_touched_is_refused_as_a_whole(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    second = page.locator(".tile").nth(1)
    url = f"/v1/samples/{second.get_attribute('data-sample')}/decision"
    service.http.put(url, json={"decision": "unsure"}, headers={"If-Match": "1"}).raise_for_status()
    press(page, "Shift+ArrowRight Shift+ArrowRight s")
    page.get_by_text("1 of the samples were decided on meanwhile.").wait_for()
    expect(second.locator(".tile__decision")).to_have_text("Unsure")
    expect(page.locator(".tile[data-decision='']")).to_have_count(5)
    page.get_by_role("button", name="Try again").click()
    all_saved(page, service, suspects, 3)
    expect(second.locator(".tile__decision")).to_have_text("Unsure")


def test_a_class_for_several_samples_is_kept_by_those_that_have_it(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    given = page.locator(".tile").nth(1).get_attribute("data-given")
    assert given is not None
    press(page, "Shift+ArrowRight /")
    page.get_by_role("combobox", name="Search classes").fill(given)
    press(page, "Enter")
    all_saved(page, service, suspects, 2)
    made = [(entry["to"]["decision"], entry["to"]["label"]) for entry in log_of(service, suspects)]
    assert made == [("relabel", given), ("keep", None)]


def test_bulk_by_filter_is_shown_before_it_is_made(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 40)
    page = open_page(f"{suspects.review_path}?label=cat")
    press(page, "b")
    dialog = page.get_by_role("dialog", name="Decide on many at once")
    dialog.get_by_label("Chance of being wrong, at least").fill("0.5")
    dialog.get_by_role("button", name="Preview").click()
    dialog.get_by_text("10 samples would change").wait_for()
    assert log_of(service, suspects) == []
    expect(dialog.locator(".bulk__example")).to_have_count(10)
    dialog.get_by_role("button", name="Decide on 10 samples").click()
    page.get_by_text("Decided on 10 samples").wait_for()
    all_saved(page, service, suspects, 10)
    expect(page.locator(".tile")).to_have_count(10)
    press(page, "z")
    page.get_by_text("Undone: 10 samples").wait_for()
