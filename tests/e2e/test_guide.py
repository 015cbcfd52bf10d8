"""What README, guide and notebook show is run as it stands, or says why not.

A block that cannot be run here has `<!-- not run: REASON -->` above it; its syntax is checked. One
that another test runs as it stands has `<!-- run by: FILE -->`. What all pages take for granted is
in `_known`: the address, a key, a finished audit with a few decisions, some images.
"""

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from math import erf, sqrt
from pathlib import Path

import pytest
import yaml
from PIL import Image

from labelaudit import Client
from ml.mixture.interval import INTERVAL_Z
from tests.support.archives import write_tiny_zip
from tests.support.processes import run_to_end
from tests.support.service import Service

ROOT = Path(__file__).resolve().parents[2]
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_audit.ipynb"
PAGES = [ROOT / "README.md", *GUIDE, NOTEBOOK]
RUN = {"bash", "python"}
_BLOCK = re.compile(r"(?:<!-- (not run|run by): (.+?) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
_SAYS = {"python": ("noise rate", "labels corrected", "404 not_found"), "data-in": (), "model": ()}
"""What the Python lines of a page print."""

README_ELSEWHERE = {
    "make demo": "installs into .venv; tests/e2e/test_readme.py runs the demo",
    "make test": "is what runs this",
    "pip install": "installs this very package; tests/e2e/test_cli.py audits a folder",
    "labelaudit score": "needs a file of the reader; tests/e2e/test_scores.py",
    "labelaudit serve": "blocks until Ctrl-C; tests/support/service.py starts it",
    "export LABELAUDIT_API_KEY": "tests/e2e/test_readme.py runs it",
    "URL=http": "tests/e2e/test_readme.py runs it",
    "photos/cat": "",
}


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    mark: str
    reason: str


def _blocks(page: Path) -> list[Block]:
    found = _BLOCK.findall(page.read_text())
    return [Block(language, text, mark, reason) for mark, reason, language, text in found]


def _source(page: Path, language: str) -> str:
    """Return what is to be run of a page, as one script."""
    blocks = _blocks(page)
    return "\n".join(b.text for b in blocks if b.language == language and not b.mark)


def _code(page: Path) -> str:
    """Return all that a page shows to be run, in its order."""
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text())["cells"]
        return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return "\n".join(block.text for block in _blocks(page) if block.language in RUN)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
class TestNobodyIsLedAstray:
    def test_audits_run_with_the_default_preset_for_as_long_as_it_says(self, page: Path) -> None:
        assert re.findall(r"preset|epochs", _code(page), re.IGNORECASE) == []

    def test_what_is_accepted_in_bulk_is_sure_and_was_looked_at_before(self, page: Path) -> None:
        code = _code(page)
        if "accept_suggestion" not in code:
            return
        bounds = set(re.findall(r"min_p\W+([\d.]+)|\"sure\W+(true)", code, re.IGNORECASE))
        assert bounds in ({("0.9", "")}, {("", "true")}, {("", "True")})
        looked_at, accepted = code.find("dry_run"), code.find("expected_count")
        assert 0 < looked_at < accepted


@pytest.fixture(scope="module")
def folder(service: Service) -> Path:
    folder = service.data_dir.parent
    write_tiny_zip(folder / "photos.zip", num_train=120)
    write_tiny_zip(folder / "more.zip", num_train=130)
    Image.new("RGB", (16, 16), "red").save(folder / "cat.jpg")
    Image.new("RGB", (16, 16), "blue").save(folder / "dog.png")
    return folder


@pytest.fixture(scope="module")
def known(folder: Path, service: Service) -> dict[str, str]:
    """Audit a data set and decide on some samples; return what the pages call by name."""
    key = (service.data_dir / "api-key").read_text().strip()
    with Client(service.url, key) as client:
        options = {"preset": "standard", "epochs": 4}
        started = client.upload_dataset(folder / "photos.zip", options=options)
        client.wait(started["job_id"])
        for finding in islice(client.iter_findings(started["job_id"]), 5):
            client.decide(finding["sample_id"], "keep", version=finding["version"])
    return {
        "LABELAUDIT_URL": service.url,
        "LABELAUDIT_API_KEY": key,
        "URL": service.url,
        "AUTH": f"Authorization: Bearer {key}",
        "DATASET": started["dataset_id"],
        "JOB": started["job_id"],
    }


def _run(command: list[str], folder: Path, known: dict[str, str]) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run_to_end(
        command, cwd=folder,
        env=os.environ | known | {"PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestGuide:
    @pytest.mark.parametrize(
        "page", [page for page in GUIDE if _source(page, "bash")], ids=lambda page: page.stem
    )
    def test_shell_lines_run(self, page: Path, folder: Path, known: dict[str, str]) -> None:
        script = _source(page, "bash").replace("http://127.0.0.1:8000", known["URL"])
        _run(["/bin/bash", "-euo", "pipefail", "-c", script], folder, known)

    @pytest.mark.parametrize(
        "page", [page for page in GUIDE if _source(page, "python")], ids=lambda page: page.stem
    )
    def test_python_runs(self, page: Path, folder: Path, known: dict[str, str]) -> None:
        out = _run([sys.executable, "-c", _source(page, "python")], folder, known)
        assert all(text in out for text in _SAYS[page.stem])

    @pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
    def test_what_is_not_run_is_well_formed_and_says_why(self, page: Path) -> None:
        for block in _blocks(page):
            assert not block.mark or len(block.reason) > 10
            if block.mark == "run by":
                assert page.name in (ROOT / block.reason).read_text()
            if block.language == "bash":
                subprocess.run(["/bin/bash", "-n", "-c", block.text], check=True)
            elif block.language == "python":
                ast.parse(block.text)
            elif block.language == "yaml":
                yaml.safe_load(block.text)
            else:
                assert block.language == "json", "say how another language is checked"
                json.loads(block.text)


@pytest.mark.parametrize("page", [*GUIDE, ROOT / "README.md"], ids=lambda page: page.stem)
def test_what_lines_take_from_the_reader_is_set_or_named(page: Path) -> None:
    code = "\n".join(block.text for block in _blocks(page))
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    used = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", code))
    used |= set(re.findall(r'environ\["([A-Z_]+)"\]', code))
    if re.search(r"^labelaudit .*--url", code, re.MULTILINE):
        used.add("LABELAUDIT_API_KEY")
    is_set = set(re.findall(r"(?:^|\s)([A-Z][A-Z_]+)=", code))
    is_set |= {name for names in re.findall(r"read -r ([A-Z_ ]+)", code) for name in names.split()}
    assert {name for name in used - is_set if name not in prose} == set()


def test_the_report_page_names_the_level_of_its_intervals() -> None:
    level = round(100 * erf(INTERVAL_Z / sqrt(2)))
    assert f"where it lies with {level} %" in (ROOT / "docs" / "guide" / "report.md").read_text()


def test_every_block_of_the_readme_is_run_somewhere() -> None:
    for block in _blocks(ROOT / "README.md"):
        known = [start for start in README_ELSEWHERE if block.text.startswith(start)]
        assert known, block.text
        if block.language == "bash":
            subprocess.run(["/bin/bash", "-n", "-c", block.text], check=True)


def test_the_notebook_runs_from_top_to_bottom(folder: Path, known: dict[str, str]) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells), "commit it without outputs"
    out = _run([sys.executable, "-c", _code(NOTEBOOK)], folder, known)
    assert re.search(r"\d+ flags, \d+% of them right", out)
    assert re.search(r"[1-9]\d* labels corrected", out)
