"""A real service and a real browser.

Both live as long as this package's tests run, no longer: Playwright's loop would be in the way of
tests that start one of their own.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.accounts.service import DEFAULT_TENANT
from app.core.db import Database, make_engine
from app.models import Tenant
from tests.browser.pictures import DESKTOP, Shots
from tests.browser.rows import Seed
from tests.support.browser import running_browser
from tests.support.service import Service, running_service

OpenPage = Callable[..., Page]
_PATIENCE_MS = 30_000


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The program as users start it, with keys on."""
    with running_service(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser; each test gets contexts of its own, which share nothing."""
    expect.set_options(timeout=_PATIENCE_MS)
    with running_browser() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, service: Service) -> Iterator[OpenPage]:
    """Open pages of the service, each in a fresh profile; signed in unless told otherwise.

    A test fails if any of its pages logs an error: a blocked script or style is one.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(path: str = "/", *, signed_in: bool = True, **options: object) -> Page:
        merged = {"base_url": service.url, "viewport": DESKTOP} | options
        context = browser.new_context(**merged)  # type: ignore[arg-type] # passed on as they are
        context.set_default_timeout(_PATIENCE_MS)
        contexts.append(context)
        if signed_in:
            sign_in(context, service)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: _note(line.type, line.text, complaints))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in(context: BrowserContext, service: Service) -> None:
    """Give a profile a session, without its page."""
    key = (service.data_dir / "api-key").read_text().strip()
    reply = context.request.post(
        f"{service.url}/sign-in", form={"key": key}, headers={"Origin": service.url}
    )
    assert reply.ok, reply.text()


@pytest.fixture
def seed(service: Service) -> Iterator[Seed]:
    """Put rows into the service's database; they are gone after the test."""
    database = Database(make_engine(f"sqlite:///{service.data_dir / 'labelaudit.db'}"))
    with database.read() as session:
        tenant = session.query(Tenant).filter_by(name=DEFAULT_TENANT).one()
    seed = Seed(database, tenant.id, service.data_dir)
    yield seed
    seed.remove_all()
    database.dispose()


@pytest.fixture
def shots(tmp_path: Path) -> Shots:
    """Take pictures of pages; `LABELAUDIT_SHOTS=folder` keeps them."""
    return Shots.into(tmp_path)


def _note(kind: str, text: str, complaints: list[str]) -> None:
    # A page that answers 404, or a service cut off, as asked, is logged too.
    asked_for = ("Failed to load resource", "Failed to fetch")
    if kind == "error" and not any(words in text for words in asked_for):
        complaints.append(text)
