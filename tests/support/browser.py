"""The system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# As root, as in most containers, Chromium refuses to start with its sandbox.
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run it without a window; where there is none, CI fails and others see a skip."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        message = "no Chromium here: `make browser` installs it (root, Debian)"
        if os.environ.get("CI"):
            raise FileNotFoundError(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
