"""The review in the middle of work: dialogs and marks, which `test_every_page` does not see."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.rows import Seed
from tests.browser.suspects import make_suspects
from tests.browser.test_every_page import CLASSES
from tests.browser.test_review_queue import press
from tests.support.service import Service


def _decided(page: Page) -> None:
    press(page, "a s d e u a ArrowDown Shift+ArrowRight Shift+ArrowRight")


def _single(page: Page) -> None:
    press(page, "ArrowRight v")


def _help(page: Page) -> None:
    press(page, "?")


def _classes(page: Page) -> None:
    press(page, "/")
    page.keyboard.type("a")


def _exclude(page: Page) -> None:
    press(page, "e")


def _filters(page: Page) -> None:
    press(page, "f")


def _bulk(page: Page) -> None:
    press(page, "b")
    page.get_by_role("button", name="Preview").click()
    page.locator("#bulk-confirm").wait_for()


STATES: dict[str, Callable[[Page], None]] = {
    "decided": _decided,
    "single": _single,
    "help": _help,
    "classes": _classes,
    "exclude": _exclude,
    "filters": _filters,
    "bulk": _bulk,
}


@pytest.mark.parametrize("name", STATES)
def test_state_is_accessible_and_fits_every_screen(
    name: str, open_page: OpenPage, seed: Seed, shots: Shots
) -> None:
    suspects = make_suspects(seed, 24, classes=CLASSES, name="cifar-10")
    page = open_page(suspects.review_path)
    STATES[name](page)
    shots.take(page, f"review-{name}")
    assert_accessible(page)


def test_conflict_is_accessible_too(
    open_page: OpenPage, seed: Seed, service: Service, shots: Shots
) -> None:
    page = open_page(make_suspects(seed, 6, classes=CLASSES).review_path)
    sample_id = page.locator(".tile").first.get_attribute("data-sample")
    url = f"/v1/samples/{sample_id}/decision"
    service.http.put(url, json={"decision": "keep"}, headers={"If-Match": "1"}).raise_for_status()
    press(page, "a")
    page.get_by_text("by first key").wait_for()
    shots.take(page, "review-conflict")
    assert_accessible(page)
