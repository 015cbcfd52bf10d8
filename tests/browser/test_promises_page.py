"""Promises by keyboard: opened, checked one picture at a time, taken back, accepted, broken."""

from playwright.sync_api import Page, expect

from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.rows import Seed
from tests.browser.suspects import Suspects, make_suspects
from tests.browser.test_every_page import CLASSES
from tests.browser.test_review_queue import press
from tests.support.service import Service


def _promises(seed: Seed, num_samples: int) -> Suspects:
    return make_suspects(seed, num_samples, classes=CLASSES, name="cifar-10")


def _sample(page: Page) -> str:
    shown = page.locator("#check")
    expect(shown).to_be_visible()
    return shown.get_attribute("data-sample") or ""


def _answered(page: Page, before: str) -> None:
    expect(page.locator(f"#check[data-sample='{before}']")).to_have_count(0)


def test_a_stop_is_checked_by_keyboard_and_kept(
    open_page: OpenPage, seed: Seed, service: Service, shots: Shots
) -> None:
    suspects = _promises(seed, 12)
    page = open_page(f"{suspects.review_path}/differences")
    press(page, "g")
    page.wait_for_url("**/review/promises")
    assert_accessible(page)
    page.get_by_label("May stay wrong").select_option("0.05")
    shots.take(page, "promises")
    page.locator("form[data-kind=stop] [type=submit]").click()
    page.wait_for_url("**/promises/*-*")
    first = _sample(page)
    shots.take(page, "promise")
    assert_accessible(page)

    press(page, "s")
    _answered(page, first)
    press(page, "z")
    expect(page.locator(f"#check[data-sample='{first}']")).to_be_visible()
    expect(page.locator("#promise-next")).to_contain_text("after 0 checks")
    for _ in range(12):
        shown = _sample(page)
        press(page, "s")
        _answered(page, shown)

    expect(page.locator("#promise-state")).to_have_text("kept")
    expect(page.locator("#check")).to_be_hidden()
    log = service.http.get(f"/v1/datasets/{suspects.dataset.id}/decisions").json()["items"]
    assert [entry["to"]["decision"] for entry in log] == ["keep", None, *["keep"] * 12]
    assert_accessible(page)
    shots.take(page, "promise-kept")


def test_a_wrong_label_breaks_a_stop_at_once_where_none_may_stay(
    open_page: OpenPage, seed: Seed
) -> None:
    suspects = _promises(seed, 12)
    page = open_page(f"{suspects.review_path}/promises")
    page.locator("form[data-kind=stop] [type=submit]").click()
    page.wait_for_url("**/promises/*-*")
    _sample(page)

    press(page, "e")
    press(page, "u")

    expect(page.locator("#promise-state")).to_have_text("broken")
    expect(page.locator("#promise-next")).to_contain_text("1 of them not right")


def test_a_band_is_checked_and_accepted(open_page: OpenPage, seed: Seed, service: Service) -> None:
    suspects = _promises(seed, 40)
    terms = {"kind": "band", "action": "exclude", "shares": [1.0], "num_checks": 22}
    path = f"/v1/jobs/{suspects.job.id}/promises"
    promise = service.http.post(path, json=terms).json()["id"]
    page = open_page(f"/promises/{promise}")
    for number in range(22):
        shown = _sample(page)
        if number:
            press(page, "e o")
        else:
            label = page.locator("#check-label").inner_text()
            press(page, "/")
            page.keyboard.type(next(name for name in CLASSES if name != label))
            page.keyboard.press("Enter")
        _answered(page, shown)
    expect(page.locator("#promise-state")).to_have_text("kept")

    page.get_by_role("button", name="Accept 18 undecided samples").click()

    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    step = service.http.get(f"/v1/datasets/{suspects.dataset.id}/decisions/steps").json()["items"][
        0
    ]
    assert step["num_samples"] == 18
