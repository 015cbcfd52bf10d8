import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelaudit import Client
from tests.labelaudit.fake_service import KEY, FakeService, finding, job, problem
from tests.labelaudit.http_server import serving
from tests.labelaudit.program import run_program


@pytest.fixture
def service() -> FakeService:
    return FakeService(
        findings=[finding(1, path="17"), finding(2, path="3", flagged=False)],
        jobs=[job("running", kind="score"), job("succeeded", kind="score")],
    )


@pytest.fixture
def url(service: FakeService) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """The service judges what is in it."""
    file = tmp_path / "oof.npz"
    file.write_bytes(b"any bytes")
    return file


def score(url: str, *arguments: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    return run_program("score", *arguments, "--url", url, folder=folder, LABELAUDIT_API_KEY=KEY)


class TestScore:
    def test_writes_findings_and_report_and_shows_what_matters(
        self, service: FakeService, url: str, scores: Path, tmp_path: Path
    ) -> None:
        done = score(url, scores, "--out", "judged", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert b'filename="oof.npz"' in service.uploads[0]
        assert b"any bytes" in service.uploads[0]
        out = tmp_path / "judged"
        assert {path.name for path in out.iterdir()} == {"findings.csv", "report.json"}
        with (out / "findings.csv").open() as file:
            assert [row["path"] for row in csv.DictReader(file)] == ["17", "3"]
        assert json.loads((out / "report.json").read_text()) == service.report()
        for shown in ("cat → dog", "1 of 2 labels is worth a look", "25.0%"):
            assert shown in done.stdout
        assert not any("/image" in request.url.path for request in service.requests)

    def test_a_row_that_is_wrong_is_the_inputs_fault(
        self, service: FakeService, url: str, scores: Path
    ) -> None:
        error = {"code": "invalid_scores", "detail": "row 17 of pred_probs sums to 0.93, not to 1"}
        service.jobs = [job("failed", kind="score", error=error)]
        done = score(url, scores, folder=scores.parent)
        assert done.returncode == 2
        assert f"error: {error['detail']} (invalid_scores)" in done.stderr

    def test_a_refused_upload_shows_the_services_words(
        self, service: FakeService, url: str, scores: Path
    ) -> None:
        service.problem = problem(422, "unknown_scores_format", "Neither npz nor Parquet.")
        done = score(url, scores, folder=scores.parent)
        assert done.returncode == 2
        assert "Neither npz nor Parquet. (unknown_scores_format)" in done.stderr

    def test_a_missing_file_or_a_folder_is_told(self, tmp_path: Path) -> None:
        missing = run_program("score", "nowhere.npz", folder=tmp_path)
        assert (missing.returncode, missing.stderr) == (
            2,
            "error: no such file or folder: 'nowhere.npz' (not_found)\n",
        )
        folder = run_program("score", ".", folder=tmp_path)
        assert (folder.returncode, "labelaudit audit" in folder.stderr) == (2, True)

    def test_a_missing_key_is_told(self, scores: Path) -> None:
        done = run_program("score", scores, "--url", "http://127.0.0.1:9", folder=scores.parent)
        assert done.returncode == 2
        assert "LABELAUDIT_API_KEY is not set" in done.stderr


def test_the_client_names_the_data_set_and_reports_each_piece(
    service: FakeService, scores: Path
) -> None:
    sent: list[int] = []
    with Client("http://127.0.0.1:1/", KEY, transport=service.transport) as client:
        answer = client.upload_scores(scores, name="mine", on_sent=sent.append)
    assert answer == {"dataset_id": "d1", "job_id": "j1"}
    assert service.requests[0].url.path == "/v1/scores"
    assert b'name="name"\r\n\r\nmine' in service.uploads[0]
    assert b'name="audit"' not in service.uploads[0]
    assert sent[-1] == len(b"any bytes")
