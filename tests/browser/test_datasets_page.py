import pytest

from app.models import Dataset, JobState, Sample
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots
from tests.browser.rows import Seed


def test_a_running_job_moves_on_without_a_reload(open_page: OpenPage, seed: Seed) -> None:
    dataset = seed.dataset(name="cifar-10")
    job = seed.job(dataset, state=JobState.RUNNING, stage="train", epoch=1, epochs=9, fraction=0.1)
    page = open_page("/datasets")
    page.evaluate("window.isThisVeryPage = true")
    link = page.get_by_role("link", name="Watch the job of cifar-10")
    link.focus()
    assert page.get_by_text("Epoch 1 of 9").is_visible()

    seed.change(job, epoch=2, fraction=0.2)
    page.get_by_text("Epoch 2 of 9").wait_for()
    assert link.evaluate("link => link === document.activeElement")

    seed.change(job, state=JobState.CANCELLED)
    page.get_by_text("Cancelled").wait_for()
    assert page.locator("[hx-get]").count() == 0
    assert page.evaluate("window.isThisVeryPage")


def test_failure_to_look_again_is_shown_until_it_works_again(
    open_page: OpenPage, seed: Seed
) -> None:
    seed.job(seed.dataset(), state=JobState.RUNNING, stage="train")
    page = open_page("/datasets")
    page.route("**/datasets", lambda route: route.abort())
    message = page.get_by_text("The service does not answer.")
    message.wait_for()
    page.wait_for_timeout(3500)
    assert message.count() == 1
    assert page.get_by_text("Running").is_visible()
    page.unroute("**/datasets")
    message.wait_for(state="detached")


def test_names_are_text(open_page: OpenPage, seed: Seed) -> None:
    name = '<img src=x onerror="document.title=1">\u202egnp.exe {{ 7 * 7 }}'
    seed.audited(name=name, classes=["<b>cat</b>", "=cmd()"])
    page = open_page("/datasets")
    assert page.locator(".dataset__name").inner_text() == name
    assert page.locator(".chip").all_inner_texts() == ["<b>cat</b>", "=cmd()"]
    assert page.title() == "Data sets · Label Audit"


@pytest.mark.parametrize("width", [1440, 1280, 700, 390])
def test_numbers_of_a_card_stay_in_one_line(
    open_page: OpenPage, seed: Seed, shots: Shots, width: int
) -> None:
    dataset, _ = seed.audited(name="iNaturalist", num_samples=100, num_rejected=12_345)
    reviewed, _ = seed.audited(name="garden", num_samples=40)
    with seed.database.unit_of_work() as session:
        session.get_one(Dataset, dataset.id).num_samples = 1_234_567
        for sample in session.query(Sample).filter_by(dataset_id=reviewed.id, position=0):
            sample.decision = "keep"
    seed.job(dataset, state=JobState.RUNNING, stage="train", epoch=1, epochs=9, fraction=0.1)
    page = open_page("/datasets", viewport={"width": width, "height": 900})
    page.get_by_text("1,234,567").wait_for()
    page.screenshot(path=shots.folder / f"cards-{width}.png", full_page=True)
    heights = page.locator(".fact__value").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert len(set(heights)) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_is_switched_and_remembered(open_page: OpenPage) -> None:
    page = open_page("/datasets", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Use light colours").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_the_first_stop_of_the_keyboard_skips_to_the_content(open_page: OpenPage) -> None:
    page = open_page("/datasets")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
