"""What pages say of the code is true: files, links and constants are those of the tree."""

import re
from pathlib import Path

import pytest

from ml.detection.candidates import MAX_CANDIDATES
from ml.detection.hypotheses import TEMPERATURES
from ml.detection.neighbours import NUM_NEIGHBOURS
from ml.detection.signals import NEIGHBOUR_WEIGHT, UNSEEN_WEIGHT
from ml.detection.verdict import MIN_YIELD, SURE_ABOVE

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("app", "benchmarks", "labelaudit", "migrations", "ml", "tests", "worker")
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_FILE = re.compile(rf"`((?:docs|{'|'.join(PACKAGES)})/[\w./-]+)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_DECISION = re.compile(r"docs/decisions/(\d{4})")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_links_of_a_page_lead_somewhere(page: Path) -> None:
    prose = _FENCED.sub("", page.read_text())
    assert [name for name in _FILE.findall(prose) if not (ROOT / name).exists()] == []
    assert [name for name in _LINK.findall(prose) if not (page.parent / name).exists()] == []


def test_decisions_that_the_code_names_exist() -> None:
    named = {
        number
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for number in _DECISION.findall(file.read_text())
    }
    assert {n for n in named if not list((ROOT / "docs" / "decisions").glob(f"{n}-*.md"))} == set()


def test_the_page_on_the_method_names_the_constants_of_the_detector() -> None:
    page = (ROOT / "docs" / "guide" / "method.md").read_text()
    for constant in (
        f"p ≥ {MIN_YIELD}",
        f"p > {SURE_ABOVE}",
        f"{len(TEMPERATURES)} temperatures",
        f"{2 * len(TEMPERATURES)} hypotheses",
        f"{MAX_CANDIDATES} in all",
        f"{NUM_NEIGHBOURS} most similar",
        f"weight {NEIGHBOUR_WEIGHT}",
        f"weight {UNSEEN_WEIGHT}",
    ):
        assert constant in page, constant
