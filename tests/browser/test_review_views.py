"""Classes, columns, the single view and the page of a sample."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from app.models import Finding
from tests.browser.conftest import OpenPage
from tests.browser.rows import Seed
from tests.browser.suspects import make_suspects
from tests.browser.test_review_queue import all_saved, log_of, press
from tests.support.service import Service

UNSAFE = '<script>document.title="owned"</script>'
LONG = "Ünïcödé-类别-" * 12
_IS_WHOLE = """each => each.scrollWidth <= each.clientWidth + 1
    && each.getBoundingClientRect().right <= each.closest('.tile').getBoundingClientRect().right"""


def test_one_of_a_thousand_classes_is_found_by_typing(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    classes = [f"species {number:04d}" for number in range(1200)]
    suspects = make_suspects(seed, 6, classes=[UNSAFE, LONG, *classes, "Åland cat"])
    page = open_page(suspects.review_path)
    assert page.locator(".tile__given").first.inner_text() == UNSAFE
    assert page.title().startswith("Review of")

    press(page, "/")
    page.keyboard.type("species 07")
    expect(page.locator("#class-count")).to_have_text("The first 50 of 100: type on")
    page.get_by_label("Search classes").fill("aland")
    expect(page.get_by_role("option", name="Åland cat")).to_have_attribute("aria-selected", "true")
    press(page, "Enter")
    expect(page.locator(".class-key", has_text="Åland cat")).to_be_visible()
    all_saved(page, service, suspects, 1)
    digit = page.locator(".class-key", has_text="Åland cat").get_attribute("data-digit")
    press(page, f"{digit} 1 2")
    all_saved(page, service, suspects, 4)
    labels = [entry["to"]["label"] for entry in log_of(service, suspects)]
    assert labels == ["Åland cat", "Åland cat", "species 0001", None]


def test_digits_stand_for_the_probable_classes_of_each_sample(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 4, classes=["a", "b", "c", "d", "e", "f"], has_likely=True)
    page = open_page(suspects.review_path)
    # Given a, suggested b; d has 3 %, and each class stands there once.
    keys = page.locator(".class-key:visible")
    expect(keys).to_have_text(["1b90 %", "2a6 %", "3d3 %", "4c", "5e", "6f"])
    press(page, "3")
    expect(keys).to_have_text(["1c90 %", "2b6 %", "3e3 %", "4a", "5d", "6f"])
    press(page, "3")
    all_saved(page, service, suspects, 2)
    assert [entry["to"]["label"] for entry in log_of(service, suspects)] == ["d", "e"]


def test_both_chances_are_named_wherever_a_suspect_is_shown(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 4, classes=["bird", "frog", "deer"], has_likely=True)
    page = open_page(suspects.review_path)
    for _ in ("grid", "single view"):
        tile = page.locator(".tile:visible").first
        expect(tile.locator(".tile__chance")).to_have_text("likely wrong 99 %")
        expect(tile.locator(".tile__suggested")).to_have_text("frog 90 %")
        expect(tile.locator(".tile__chance .visually-hidden")).to_have_count(0)
        press(page, "v")
    expect(page.locator(".class-key").first).to_have_text("1frog90 %")

    press(page, "o")
    page.wait_for_url("**/samples/s*")
    expect(page.locator(".tile__suggested")).to_have_text("frog 90 %")
    facts = page.locator(".sample__verdict .fact")
    expect(facts.filter(has_text="Given label is wrong")).to_contain_text("99 %")
    expect(facts.filter(has_text="Suggestion")).to_contain_text("frog 90 %")

    url = f"/v1/jobs/{suspects.job.id}/claims"
    service.http.post(url, json={"count": 1}).raise_for_status()
    page.goto(f"{suspects.review_path}/share")
    expect(page.locator(".tile__chance")).to_have_text("likely wrong 99 %")
    expect(page.locator(".tile__suggested")).to_have_text("frog 90 %")


@pytest.mark.parametrize("width", [1280, 820, 390])
def test_numbers_are_never_cut_off_and_the_board_stays_in_place(
    width: int, open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 8, classes=[LONG, "b"])
    page = open_page(suspects.review_path, viewport={"width": width, "height": 800})
    for keys in ("v", "v", "+ + + +"):
        for number in page.locator(".tile__chance:visible, .tile__share:visible").all():
            assert number.evaluate(_IS_WHOLE)
        press(page, keys)
    top = "document.querySelector('.board').getBoundingClientRect().top + scrollY"
    before = page.evaluate(top)
    press(page, "s")
    all_saved(page, service, suspects, 1)
    expect(page.locator("#tally")).to_have_text("1 decided")
    assert page.evaluate(top) == before


def test_a_label_that_is_its_own_suggestion_is_shown_once(open_page: OpenPage, seed: Seed) -> None:
    suspects = make_suspects(seed, 4, num_flagged=0)
    with seed.database.unit_of_work() as session:
        session.execute(update(Finding).values(suggested_label=Finding.given_label))
    page = open_page(f"{suspects.review_path}?flagged=no")
    first = page.locator(".tile").first
    expect(first.locator(".tile__labels")).to_have_text(", labelled and suggested cat 90 %")
    expect(first.locator(".tile__given")).to_have_count(0)
    weight = "each => getComputedStyle(each).fontWeight"
    assert first.locator(".tile__suggested").evaluate(weight) == "620"
    press(page, "s")
    assert first.locator(".tile__suggested").evaluate(weight) == "620"


def test_kinds_of_samples_are_a_filter_in_the_address(open_page: OpenPage, seed: Seed) -> None:
    suspects = make_suspects(seed, 12)
    page = open_page(suspects.review_path)
    press(page, "f")
    page.get_by_label("Kind of sample").select_option("off_topic")
    page.get_by_role("button", name="Show these").click()
    page.wait_for_url("**verdict=off_topic**")
    expect(page.locator(".tile")).to_have_count(3)
    expect(page.locator(".filters__summary")).to_contain_text("off-topic")


def test_columns_and_the_single_view(open_page: OpenPage, seed: Seed, service: Service) -> None:
    suspects = make_suspects(seed, 20)
    page = open_page(suspects.review_path)
    columns = (
        "getComputedStyle(document.querySelector('.board')).gridTemplateColumns.split(' ').length"
    )
    assert page.evaluate(columns) == 6
    press(page, "+ + + ArrowDown")
    assert page.evaluate(columns) == 8
    expect(page.locator(".tile").nth(8)).to_be_focused()
    page.reload()
    assert page.evaluate(columns) == 8

    press(page, "v")
    expect(page.locator(".tile:visible")).to_have_count(1)
    image = page.locator(".tile:visible img")
    assert "size=thumb" not in (image.get_attribute("src") or "")
    press(page, "s")
    expect(page.locator(".tile").nth(9)).to_be_focused()
    all_saved(page, service, suspects, 1)
    press(page, "Escape")
    expect(page.locator(".tile:visible")).to_have_count(20)


def test_help_shows_each_key_and_keys_rest_while_it_is_open(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 4)
    page = open_page(suspects.review_path)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog.get_by_text("Accept the suggestion")).to_be_visible()
    press(page, "a s Escape")
    expect(dialog).to_be_hidden()
    assert log_of(service, suspects) == []
    press(page, "s")
    all_saved(page, service, suspects, 1)


def test_a_sample_has_a_page_with_its_story_and_its_neighbours(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 3)
    page = open_page(suspects.review_path)
    press(page, "ArrowRight o")
    page.wait_for_url("**/samples/s*")
    expect(page.get_by_role("heading", name="This label is worth a look")).to_be_visible()
    expect(page.get_by_text("Nobody has decided on this sample yet.")).to_be_visible()
    press(page, "s")
    expect(page.locator(".history__entry")).to_contain_text("Kept")
    all_saved(page, service, suspects, 1)
    here = page.url
    press(page, "n")
    page.wait_for_function("here => location.href !== here", arg=here)
    expect(page.locator("#next-sample")).to_have_count(0)
    press(page, "p")
    page.wait_for_function("count => document.querySelector('#previous-sample') === null", arg=0)
    press(page, "Escape")
    page.wait_for_url("**/review?")


@pytest.mark.parametrize("signs", ["decision=nonsense", "min_p=2", "cursor=x"])
def test_a_wrong_address_is_told(open_page: OpenPage, seed: Seed, signs: str) -> None:
    suspects = make_suspects(seed, 2)
    page = open_page(f"{suspects.review_path}?{signs}")
    expect(page.locator(".problem")).to_be_visible()
