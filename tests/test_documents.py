"""What pages say of the code is true: files, links and constants are those of the tree."""

import re
from pathlib import Path

import pytest

from app.core.settings import Settings
from ml.detection.candidates import MAX_CANDIDATES
from ml.detection.flags import MIN_YIELD, SURE_ABOVE
from ml.detection.hypotheses import TEMPERATURES
from ml.detection.neighbours import NUM_NEIGHBOURS
from ml.detection.signals import NEIGHBOUR_WEIGHT, UNSEEN_WEIGHT

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("app", "benchmarks", "labelaudit", "migrations", "ml", "tests", "worker")
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_FILE = re.compile(rf"`((?:docs|{'|'.join(PACKAGES)})/[\w./-]+)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_DECISION = re.compile(r"docs/decisions/(\d{4})")
_ANY_FILE = re.compile(rf"\b(?:{'|'.join(PACKAGES)})/[\w./-]*\w")
_STOP = re.compile(r"^\d+\. `(?P<file>[\w./]+)`(?: \((?P<names>[^)]*)\))?: \S", re.MULTILINE)
_NUMBERED = re.compile(r"^\d+\. ", re.MULTILINE)
_FIGURE = re.compile(r"\b\d\.\d{2,3}\b")
MAX_STOPS = 25
MAX_DECISION_WORDS = 250
MAX_README_LINES = 110


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_links_of_a_page_lead_somewhere(page: Path) -> None:
    prose = _FENCED.sub("", page.read_text())
    assert [name for name in _FILE.findall(prose) if not (ROOT / name).exists()] == []
    assert [name for name in _LINK.findall(prose) if not (page.parent / name).exists()] == []


def test_decisions_that_the_code_names_exist() -> None:
    named = {
        number
        for package in PACKAGES
        for pattern in ("*.py", "*.js")
        for file in (ROOT / package).rglob(pattern)
        for number in _DECISION.findall(file.read_text())
    }
    assert {n for n in named if not list((ROOT / "docs" / "decisions").glob(f"{n}-*.md"))} == set()


def _architecture() -> str:
    return (ROOT / "docs" / "architecture.md").read_text()


def test_every_file_that_the_architecture_names_exists() -> None:
    named = set(_ANY_FILE.findall(_architecture()))
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_each_stop_of_a_path_names_a_file_and_what_is_called_there() -> None:
    for path in re.split(r"^## ", _architecture(), flags=re.MULTILINE)[1:]:
        stops = list(_STOP.finditer(path))
        assert len(stops) == len(_NUMBERED.findall(path)) <= MAX_STOPS, path
        for stop in stops:
            code = (ROOT / stop["file"]).read_text()
            for name in re.findall(r"`(?:\w+\.)?(\w+)`", stop["names"] or ""):
                assert re.search(rf"\b(?:def|class) {name}\b", code), stop.group()


def test_the_glossary_names_the_module_that_owns_each_term() -> None:
    rows = re.findall(
        r"^\| \*\*.+\*\* \|.*$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    assert rows
    assert [row for row in rows if not _FILE.search(row)] == []


def _num_words(page: Path) -> int:
    _title, _, text = page.read_text().partition("\n")
    return len(text.split())


def test_a_decision_is_short_and_stands_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    pages = sorted(folder.glob("[0-9]*.md"))
    assert [page.name for page in pages if _num_words(page) > MAX_DECISION_WORDS] == []
    assert re.findall(r"^- .*\]\((\d{4}-[\w-]+\.md)\)", index, re.MULTILINE) == [
        page.name for page in pages
    ]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES


def test_figures_of_the_readme_are_those_of_the_results() -> None:
    figures = set(_FIGURE.findall((ROOT / "README.md").read_text()))
    assert figures
    assert figures - set(_FIGURE.findall((ROOT / "docs/results/README.md").read_text())) == set()


def test_the_page_on_settings_names_all_of_them_and_no_other() -> None:
    page = (ROOT / "docs" / "guide" / "settings.md").read_text()
    fields = {f"LABELAUDIT_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"LABELAUDIT_\w+", page)) == fields


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
