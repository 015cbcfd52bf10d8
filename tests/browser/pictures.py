"""Pictures of pages, to be looked at by people."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from playwright.sync_api import Page, ViewportSize

DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
SIZES = {"desktop": DESKTOP, "phone": PHONE}
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Shots:
    """A folder of pictures, named by page, theme and size."""

    folder: Path

    @classmethod
    def into(cls, default: Path) -> Self:
        """Take the folder that the environment names, if it names one."""
        return cls(Path(os.environ.get("LABELAUDIT_SHOTS", default)))

    def take(self, page: Page, name: str) -> list[Path]:
        """Picture a page as it stands, in both themes and sizes; leave it as it was."""
        before = page.viewport_size
        paths = []
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            for size, viewport in SIZES.items():
                page.set_viewport_size(viewport)
                path = self.folder / f"{name}-{theme}-{size}.png"
                page.screenshot(path=path, full_page=True, animations="disabled")
                paths.append(path)
        page.emulate_media(color_scheme="light")
        if before is not None:
            page.set_viewport_size(before)
        return paths
