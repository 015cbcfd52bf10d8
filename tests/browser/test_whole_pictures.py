"""Wherever a picture of a sample is shown, all of it is seen, whatever its shape."""

import io

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.reports import publish_report, report
from tests.browser.rows import Seed
from tests.browser.suspects import Suspects, keep_evidence, make_suspects
from tests.browser.test_review_queue import press
from tests.support.service import Service

CLASSES = ["cat", "dog"]
SHAPES = {"1:2": (300, 600), "3:4": (450, 600), "1:1": (600, 600), "4:3": (600, 450),
          "2:1": (600, 300)}  # fmt: skip
EDGES = {
    "top": (230, 20, 20), "bottom": (20, 20, 230), "left": (20, 200, 20), "right": (230, 200, 20),
}  # fmt: skip
_TOLERANCE = 60
_FEW_PIXELS = 20


def picture(size: tuple[int, int]) -> bytes:
    """Draw a grey picture, each of whose edges has a colour of its own."""
    width, height = size
    band = min(size) // 8
    image = Image.new("RGB", size, (128, 128, 128))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, band), fill=EDGES["top"])
    draw.rectangle((0, height - band, width, height), fill=EDGES["bottom"])
    draw.rectangle((0, band, band, height - band), fill=EDGES["left"])
    draw.rectangle((width - band, band, width, height - band), fill=EDGES["right"])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def edges_seen(frame: Locator) -> set[str]:
    """Tell which edges of the picture can be seen in a frame, as a person would: by its pixels."""
    frame.scroll_into_view_if_needed()
    shown = Image.open(io.BytesIO(frame.screenshot(animations="disabled"))).convert("RGB")
    counts = shown.getcolors(shown.width * shown.height) or []
    return {
        name
        for name, wanted in EDGES.items()
        if sum(count for count, colour in counts if _is_near(colour, wanted)) > _FEW_PIXELS
    }


def _is_near(colour: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(one - other) < _TOLERANCE for one, other in zip(colour, wanted, strict=True))


def _wait_for_pictures(page: Page) -> None:
    page.wait_for_function(
        "() => [...document.querySelectorAll('main img')].every("
        "({ complete, naturalWidth }) => complete && naturalWidth)"
    )


@pytest.fixture(params=SHAPES)
def suspects(request: pytest.FixtureRequest, seed: Seed) -> Suspects:
    """A few samples whose pictures all have one shape."""
    return make_suspects(seed, 12, classes=CLASSES, pictures=[picture(SHAPES[request.param])])


def test_on_the_board_and_in_the_single_view(open_page: OpenPage, suspects: Suspects) -> None:
    page = open_page(suspects.review_path)
    _wait_for_pictures(page)
    assert edges_seen(page.locator(".tile__frame").first) == set(EDGES)
    press(page, "v")
    expect(page.locator(".tile:visible")).to_have_count(1)
    _wait_for_pictures(page)
    assert edges_seen(page.locator(".tile__frame:visible")) == set(EDGES)
    press(page, "s ArrowLeft")  # a decision hides nothing, nor does it make the large one pale
    _wait_for_pictures(page)
    expect(page.locator(".tile__decision:visible")).to_have_text("Kept")
    assert edges_seen(page.locator(".tile__frame:visible")) == set(EDGES)


def test_on_the_page_of_a_sample_and_among_those_like_it(
    open_page: OpenPage, seed: Seed, suspects: Suspects
) -> None:
    keep_evidence(seed, suspects)
    page = open_page(f"/jobs/{suspects.job.id}/samples/s{suspects.sample_ids[0]:016x}")
    _wait_for_pictures(page)
    assert edges_seen(page.locator(".tile__frame")) == set(EDGES)
    assert edges_seen(page.locator(".alike__image").first) == set(EDGES)


def test_in_a_share(open_page: OpenPage, service: Service, suspects: Suspects) -> None:
    url = f"/v1/jobs/{suspects.job.id}/claims"
    service.http.post(url, json={"count": 3}).raise_for_status()
    page = open_page(f"{suspects.review_path}/share")
    _wait_for_pictures(page)
    assert edges_seen(page.locator(".tile__frame").first) == set(EDGES)


def test_among_the_examples_of_a_bulk_decision(open_page: OpenPage, suspects: Suspects) -> None:
    page = open_page(suspects.review_path)
    press(page, "b")
    page.get_by_role("button", name="Preview").click()
    page.locator("#bulk-confirm").wait_for()
    _wait_for_pictures(page)
    assert edges_seen(page.locator(".bulk__image").first) == set(EDGES)


def test_in_the_report(
    open_page: OpenPage, seed: Seed, service: Service, suspects: Suspects
) -> None:
    publish_report(service, seed, suspects.job, report(CLASSES, num_samples=12))
    page = open_page(f"/jobs/{suspects.job.id}/report")
    _wait_for_pictures(page)
    assert edges_seen(page.locator(".suspect__image").first) == set(EDGES)
