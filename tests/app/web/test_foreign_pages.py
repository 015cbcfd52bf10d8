"""Changes that a page of another site asks for, with the session of somebody who signed in."""

from starlette.testclient import TestClient

from tests.app.web.conftest import URL, FakeBrowser

HEADER = {"X-Label-Audit": "1"}
UNKNOWN = "/v1/jobs/00000000-0000-4000-8000-000000000000/cancel"


FROM_US = ({"Sec-Fetch-Site": "same-origin"}, {"Origin": URL})
FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": URL},
    {"Origin": "null"},
    {"Origin": "http://testserver:81"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://testserver.evil.example"},
)


def post(browser: FakeBrowser, path: str, headers: dict[str, str]) -> int:
    """Post with just these headers: browsers of different ages send different ones."""
    browser.headers.pop("sec-fetch-site", None)
    return browser.post(path, headers=headers).status_code


class TestApi:
    def test_takes_changes_from_our_own_script_only(self, signed_in: FakeBrowser) -> None:
        for origin in FROM_US:
            assert post(signed_in, UNKNOWN, HEADER | origin) == 404, origin
        for origin in FROM_ELSEWHERE:
            assert post(signed_in, UNKNOWN, HEADER | origin) == 403, origin

    def test_refuses_a_change_that_a_form_could_send(self, signed_in: FakeBrowser) -> None:
        assert post(signed_in, UNKNOWN, {"Sec-Fetch-Site": "same-origin"}) == 403

    def test_asks_for_a_session_first(self, browser: FakeBrowser) -> None:
        assert post(browser, UNKNOWN, {"Sec-Fetch-Site": "cross-site"}) == 401

    def test_does_not_mind_where_a_key_comes_from(self, client: TestClient) -> None:
        assert client.post(UNKNOWN, headers={"Origin": "http://evil.example"}).status_code == 404


class TestPages:
    def test_refuse_a_change_from_elsewhere(self, signed_in: FakeBrowser) -> None:
        assert post(signed_in, "/sign-out", {"Sec-Fetch-Site": "same-site"}) == 403
        assert signed_in.get("/v1/datasets").status_code == 200
