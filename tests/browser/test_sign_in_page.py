from tests.browser.conftest import OpenPage
from tests.support.service import Service


def test_the_keyboard_alone_signs_in_leads_back_and_out(
    open_page: OpenPage, service: Service
) -> None:
    page = open_page("/datasets?from=bookmark", signed_in=False)
    assert "/sign-in?next=" in page.url
    page.keyboard.type((service.data_dir / "api-key").read_text())  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_url("**/datasets?from=bookmark")

    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")
    page.go_back()
    page.get_by_label("API key").wait_for()
    assert "/sign-in?next=" in page.url


def test_no_script_can_read_the_session(open_page: OpenPage) -> None:
    page = open_page("/datasets")
    assert "session" not in page.evaluate("document.cookie")
    assert any("session" in cookie["name"] for cookie in page.context.cookies())


def test_a_script_of_ours_may_call_the_api(open_page: OpenPage) -> None:
    page = open_page("/datasets")
    module = page.locator("script[type=module]").first.get_attribute("src") or ""
    answers = page.evaluate(
        """async (path) => {
            const { call } = await import(path);
            const seen = await call("GET", "/v1/datasets");
            const url = "/v1/jobs/00000000-0000-4000-8000-000000000000/cancel";
            const refused = await call("POST", url).catch((problem) => problem);
            const plain = await fetch(url, { method: "POST" });
            return [seen, refused.status, refused.code, plain.status];
        }""",
        module.replace("app.js", "api.js"),
    )
    assert answers == [{"items": [], "next_cursor": None}, 404, "not_found", 403]
