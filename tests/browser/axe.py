"""axe-core, the accessibility checker, run inside a page."""

from pathlib import Path

from playwright.sync_api import Page

from tests.browser.pictures import SIZES, THEMES

_AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async (standards) => {
    const { violations } = await axe.run(document, { runOnly: standards });
    return violations.flatMap(({ id, impact, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${impact} ${id}: ${html}\\n${failureSummary}`));
}"""


def assert_accessible(page: Page) -> None:
    """Find nothing to complain about, in both themes, on a desk and on a phone."""
    # Evaluated from outside: the page's own policy would refuse a script tag.
    page.evaluate(_AXE.read_text())
    for theme in THEMES:
        # Without motion: halfway from one theme to the other, colours have no contrast.
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        for name, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            # From the top: what is half below the fixed header elsewhere is no small target.
            page.evaluate("scrollTo(0, 0)")
            found = page.evaluate(_RUN, _STANDARDS)
            assert found == [], f"{page.url}, {theme}, {name}:\n" + "\n".join(found)
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{page.url} is {width} px too wide ({name})"
