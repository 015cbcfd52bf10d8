"""Decisions that are not saved yet: kept over a reload and a new sign-in, sent by their maker."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, Route, expect

from tests.browser.conftest import OpenPage, sign_in
from tests.browser.rows import Seed
from tests.browser.suspects import make_suspects
from tests.browser.test_review_queue import all_saved, log_of, press
from tests.support.service import Service

DECISIONS = "**/v1/**/decision*"


def _fail(route: Route, status: int = 500) -> None:
    body = '{"code": "internal", "detail": "Something broke."}'
    route.fulfill(status=status, content_type="application/problem+json", body=body)


def _first_fails(num_times: int = 1) -> Callable[[Route], None]:
    """Return a handler that answers 500 so many times, and then lets everything pass."""
    left = [None] * num_times

    def handle(route: Route) -> None:
        if left:
            left.pop()
            _fail(route)
        else:
            route.continue_()

    return handle


def _sign_in_by_page(page: Page, service: Service) -> None:
    page.get_by_label("API key").fill((service.data_dir / "api-key").read_text().strip())
    page.keyboard.press("Enter")


def _new_key(service: Service, name: str) -> str:
    body = {"name": name, "scopes": ["read", "review"]}
    return str(service.http.post("/v1/keys", json=body).raise_for_status().json()["key"])


def _use_key(context: BrowserContext, service: Service, key: str) -> None:
    context.clear_cookies()
    headers = {"Origin": service.url}
    reply = context.request.post(f"{service.url}/sign-in", form={"key": key}, headers=headers)
    assert reply.ok, reply.text()


def _leave_when_asked(page: Page) -> None:
    page.on("dialog", lambda dialog: dialog.accept())


def _decide_offline(page: Page, keys: str, *, num: int) -> None:
    """Press keys that make so many decisions, none of which reaches the service."""
    page.route(DECISIONS, lambda route: route.abort())
    press(page, keys)
    expect(page.locator("#tally")).to_contain_text(f"{num} not saved")


def test_a_session_that_is_over_loses_nothing(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 8)
    page = open_page(suspects.review_path)
    page.context.clear_cookies()
    held: list[Route] = []

    def hold(route: Route) -> None:
        # Otherwise the answer may end the page before the third key.
        held.append(route)

    page.route(DECISIONS, hold)
    press(page, "s a d")
    expect(page.locator("[data-state=pending]")).to_have_count(3)
    held[0].continue_()
    page.wait_for_url("**/sign-in?next=*")  # without a question
    page.unroute(DECISIONS)
    assert log_of(service, suspects) == []
    _sign_in_by_page(page, service)
    page.wait_for_url("**/review")
    all_saved(page, service, suspects, 3)
    decided = [entry["to"]["decision"] for entry in log_of(service, suspects)]
    assert decided == ["keep", "relabel", "unsure"]
    expect(page.locator("#tally")).to_have_text("3 decided")
    expect(page.locator(".tile[data-decision='']")).to_have_count(5)


def test_a_reload_without_network_keeps_decisions_selections_and_undos(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 8)
    page = open_page(suspects.review_path)
    _leave_when_asked(page)
    page.route("**/v1/**/decision*", lambda route: route.abort())
    page.route("**/v1/**/decisions/undo", lambda route: route.abort())
    press(page, "s Shift+ArrowRight Shift+ArrowRight d a ArrowLeft s z")
    expect(page.locator("#tally")).to_contain_text("5 not saved")
    page.reload()
    expect(page.locator("[data-state=pending]")).to_have_count(5)
    expect(page.locator("#tally")).to_contain_text("6 decided")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    all_saved(page, service, suspects, 7)
    log = log_of(service, suspects)
    wanted = ["keep", "unsure", "unsure", "unsure", "relabel", "keep", "relabel"]
    assert [entry["to"]["decision"] for entry in log] == wanted
    assert len({entry["step_id"] for entry in log[1:4]}) == 1
    expect(page.locator("#tally")).to_have_text("5 decided")


def test_leaving_with_unsaved_decisions_is_asked_about(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    _decide_offline(page, "s", num=1)
    page.get_by_role("link", name="My share").click()
    for _ in range(100):
        if asked:
            break
        page.wait_for_timeout(50)
    assert asked == ["beforeunload"]
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    all_saved(page, service, suspects, 1)


def test_a_link_waits_until_all_is_saved(open_page: OpenPage, seed: Seed, service: Service) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    press(page, "s " * 6)
    page.get_by_role("link", name="Results", exact=True).click()
    page.wait_for_url(f"**/jobs/{suspects.job.id}")
    assert len(log_of(service, suspects)) == 6


def test_without_locks_a_reload_keeps_them_for_this_tab(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page()
    # As where a page comes without encryption from another machine.
    page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"
    )
    _leave_when_asked(page)
    page.goto(suspects.review_path)
    _decide_offline(page, "s a", num=2)
    page.unroute_all()
    page.reload()
    all_saved(page, service, suspects, 2)
    expect(page.locator(".tile[data-decision='']")).to_have_count(4)


def test_another_account_in_the_same_browser_never_sends_them(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    _leave_when_asked(page)
    _decide_offline(page, "s s", num=2)
    _use_key(page.context, service, _new_key(service, "Ben"))
    page.unroute_all()
    page.goto(suspects.review_path)
    expect(page.locator(".tile[data-decision='']")).to_have_count(6)
    press(page, "End d")
    all_saved(page, service, suspects, 1)

    page.context.clear_cookies()
    sign_in(page.context, service)
    page.goto(suspects.review_path)
    all_saved(page, service, suspects, 3)
    assert [entry["who"] for entry in log_of(service, suspects)] == [
        "Ben",
        "first key",
        "first key",
    ]


def test_what_a_closed_tab_left_is_sent_by_the_next_and_an_open_one_keeps_its_own(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    _decide_offline(page, "s a", num=2)
    other = page.context.new_page()
    other.goto(suspects.review_path)
    press(other, "End d")
    all_saved(other, service, suspects, 1)
    expect(other.locator("[data-decision='']")).to_have_count(5)
    page.close()
    all_saved(other, service, suspects, 3)
    expect(other.locator("[data-decision='']")).to_have_count(3)


def test_a_reload_at_the_end_of_the_queue_ends_there_again(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 3)
    page = open_page(suspects.review_path)
    _leave_when_asked(page)
    page.route(DECISIONS, lambda route: route.abort())
    press(page, "s s s")
    ending = page.locator("#ending")
    expect(ending).to_contain_text("3 decided in this sitting, 3 not saved")
    page.reload()
    expect(ending).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(ending).to_contain_text("Nothing is left to do here")
    all_saved(page, service, suspects, 3)


def test_one_error_of_the_service_is_tried_again_by_itself(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    page.route(DECISIONS, _first_fails(2))
    press(page, "s a s")
    page.get_by_text("not saved: Something broke.").wait_for()
    all_saved(page, service, suspects, 3)
    expect(page.locator(".toast")).to_have_count(0)
    expect(page.locator("#tally")).to_have_text("3 decided")
    decided = [entry["to"]["decision"] for entry in log_of(service, suspects)]
    assert decided == ["keep", "relabel", "keep"]


@pytest.mark.parametrize("status", [422, 500])
def test_what_cannot_be_saved_at_all_is_taken_back_and_not_counted(
    status: int, open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page()
    page.clock.install()
    page.goto(suspects.review_path)
    first = page.locator(".tile").first
    url = f"**/v1/samples/{first.get_attribute('data-sample')}/decision"
    page.route(url, lambda route: _fail(route, status))
    press(page, "s a")
    failed = page.locator(".toast").get_by_text("Something broke.", exact=True)
    for _ in range(60):
        if failed.is_visible():
            break
        page.clock.run_for(10_000)
    expect(failed).to_be_visible()
    all_saved(page, service, suspects, 1)
    expect(first).to_have_attribute("data-decision", "")
    expect(page.locator("#tally")).to_have_text("1 decided")


def test_a_faster_reviewer_is_told_of_after_a_reload_too(
    open_page: OpenPage, seed: Seed, service: Service
) -> None:
    suspects = make_suspects(seed, 6)
    page = open_page(suspects.review_path)
    _leave_when_asked(page)
    _decide_offline(page, "s s", num=2)
    sample_id = page.locator(".tile").first.get_attribute("data-sample")
    body = {"decision": "unsure"}
    headers = {"If-Match": "1"}
    service.http.put(f"/v1/samples/{sample_id}/decision", json=body, headers=headers)
    page.unroute_all()
    page.reload()
    dialog = page.get_by_role("dialog", name="Somebody was faster")
    expect(dialog.locator("#conflict-theirs")).to_have_text("Unsure")
    expect(dialog.locator("#conflict-mine")).to_have_text("Kept")
    dialog.get_by_role("button", name="Leave theirs").click()
    all_saved(page, service, suspects, 2)
    expect(page.locator("#tally")).to_have_text("1 decided")
