"""`labelaudit audit` as a user types it."""

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.support.archives import write_tiny_zip
from tests.support.processes import run_to_end
from tests.support.service import Service

COLUMNS = [
    "sample_id", "path", "given_label", "suggested_label",
    "suggested_confidence", "p_mislabeled", "flagged", "rank",
]  # fmt: skip


def _audit(
    folder: Path, *arguments: str, service: Service | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command, beside a service that is there, or with one of its own."""
    where = [] if service is None else ["--url", service.url]
    key = {} if service is None else {"LABELAUDIT_API_KEY": service.key}
    return run_to_end(
        [sys.executable, "-P", "-m", "labelaudit", "audit", *arguments, *where],
        cwd=folder,
        env=os.environ | key,
    )  # fmt: skip


class TestAudit:
    def test_leaves_findings_report_sheet_and_model(self, tmp_path: Path) -> None:
        wrong = write_tiny_zip(tmp_path / "colours.zip", num_train=240)
        done = _audit(tmp_path, "colours.zip", "--epochs", "30", "--out", "out")
        assert done.returncode == 0, done.stderr

        with (tmp_path / "out" / "findings.csv").open(newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
        assert reader.fieldnames == COLUMNS
        assert [int(row["rank"]) for row in rows] == list(range(1, 241))
        flagged = {row["path"] for row in rows if row["flagged"] == "true"}
        assert len(flagged & wrong) >= 0.9 * max(len(flagged), len(wrong))
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        assert report["num_flagged"] == len(flagged)
        with Image.open(tmp_path / "out" / "suspects.png") as sheet:
            assert sheet.width > 100
        card = json.loads((tmp_path / "out" / "model.json").read_text())
        assert card["classes"] == sorted(["red", "green", "blue"])
        assert (tmp_path / "out" / "model.safetensors").stat().st_size > 100_000

    def test_takes_a_folder_too(self, tmp_path: Path) -> None:
        write_tiny_zip(tmp_path / "colours.zip", num_train=60)
        with zipfile.ZipFile(tmp_path / "colours.zip") as archive:
            archive.extractall(tmp_path / "photos")
        done = _audit(tmp_path, "photos", "--epochs", "1", "--method", "ce")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "labelaudit-out" / "findings.csv").exists()


class TestBadInput:
    @pytest.fixture(autouse=True)
    def _inputs(self, tmp_path: Path) -> None:
        (tmp_path / "notes.zip").write_text("just some text" * 100)
        zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
        write_tiny_zip(tmp_path / "lonely.zip", num_train=30, classes=["one"] * 3)
        write_tiny_zip(tmp_path / "good.zip", num_train=30)

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("notes.zip",), "unknown_archive"),
            (("empty.zip",), "empty_archive"),
            (("lonely.zip",), "too_few_classes"),
            (("good.zip", "--epochs", "1000000"), "invalid_epochs"),
        ],
    )
    def test_ends_with_one_line_and_exit_code_2(
        self, service: Service, tmp_path: Path, arguments: tuple[str, ...], code: str
    ) -> None:
        _assert_ends_with_2(_audit(tmp_path, *arguments, service=service), code, tmp_path)

    @pytest.mark.parametrize(
        ("file", "code"), [("nowhere.zip", "not_found"), ("lonely.zip", "too_few_classes")]
    )
    def test_ends_a_service_of_its_own_too(self, tmp_path: Path, file: str, code: str) -> None:
        _assert_ends_with_2(_audit(tmp_path, file), code, tmp_path)


def _assert_ends_with_2(
    done: "subprocess.CompletedProcess[str]", code: str, folder: Path
) -> None:  # fmt: skip
    assert done.returncode == 2
    assert f"({code})" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert list(folder.glob("labelaudit-out/*")) == []
