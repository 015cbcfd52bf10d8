"""All hostile files in one process: each gets its code, and nothing else happens."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.worker.stages.ingest.hostile import CORPUS

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[dict[str, Any]]:
    """What the process said."""
    (folder / "uploads").mkdir()
    (folder / "here").mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.worker.stages.ingest.hostile", folder / "uploads"],
        cwd=folder / "here",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "here")},
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("name", CORPUS)
def test_each_file_gets_its_own_code(lines: list[dict[str, Any]], name: str) -> None:
    _, code = CORPUS[name]
    assert {line["name"]: line["codes"] for line in lines[:-1]}[name] == [code]


def test_the_process_stays_below_a_gigabyte(lines: list[dict[str, Any]]) -> None:
    assert lines[-1]["peak_kib"] < 1024**2


@pytest.mark.usefixtures("lines")
def test_nothing_is_written_elsewhere(folder: Path) -> None:
    assert list((folder / "here").iterdir()) == []
    names = {str(number) for number in range(len(CORPUS))}
    allowed = {name + end for name in names for end in ("", "-out", "-blobs")}
    assert {path.name for path in (folder / "uploads").iterdir()} <= allowed
    assert sorted(path.name for path in folder.iterdir()) == ["here", "uploads"]
