import csv
import io
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image

from tests.labelaudit.fake_service import CARD, KEY, WEIGHTS, FakeService, finding, job, problem
from tests.labelaudit.http_server import serving
from tests.labelaudit.program import COMMAND, environment, run_program
from tests.support.processes import started
from tests.support.waiting import wait_for


@pytest.fixture
def service() -> FakeService:
    return FakeService(
        findings=[finding(1, sure=True), finding(2), finding(3, flagged=False, p_mislabeled=None)],
        rejected=[{"path": f"cat/{n}.txt", "code": "not_an_image", "detail": "no"} for n in "abc"],
        jobs=[job("succeeded")],
    )


@pytest.fixture
def url(service: FakeService) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in ("cat/1.png", "dog/2.png"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"png")
    return folder


def audit(url: str, *arguments: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    return run_program(
        "audit", *arguments, "--url", url, folder=folder, LABELAUDIT_API_KEY=f"{KEY}\n"
    )


def uploaded_archive(service: FakeService) -> ZipFile:
    body = service.uploads[0]
    start, end = body.index(b"PK\x03\x04"), body.rindex(b"\r\n--")
    return ZipFile(io.BytesIO(body[start:end]))


class TestSuccess:
    def test_writes_all_files_and_shows_what_matters(
        self, service: FakeService, url: str, images: Path, tmp_path: Path
    ) -> None:
        service.jobs = [job("running"), job("succeeded", stage="done")]
        done = audit(url, images, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        out = tmp_path / "labelaudit-out"
        assert {path.name for path in out.iterdir()} == {
            "findings.csv", "report.json", "suspects.png", "model.safetensors", "model.json",
        }  # fmt: skip
        with (out / "findings.csv").open() as file:
            assert [row["rank"] for row in csv.DictReader(file)] == ["1", "2", "3"]
        assert json.loads((out / "report.json").read_text()) == service.report()
        assert (out / "model.safetensors").read_bytes() == WEIGHTS
        assert (out / "model.json").read_bytes() == CARD
        with Image.open(out / "suspects.png") as sheet:
            sheet.load()
        for shown in (
            "cat → dog",
            "0.990",
            "Between 20.0% and 30.0% of the judged labels are wrong; the best single guess is 25",
            "2 of 2 judged labels are worth a look: between 70.0% and 99.0% of them are wrong,",
            "and they hold at least 40.0% of all wrong labels. 1 is surely wrong.",
        ):
            assert shown in done.stdout
        assert "epoch 3/6, 1,234 images/s, 1:01 left" in done.stderr
        assert "class dog has 1 sample" in done.stderr
        assert "3 files were not taken" in done.stderr
        assert "cat/a.txt: no (not_an_image)" in done.stderr

    def test_shows_the_most_suspicious_where_none_is_flagged(
        self, service: FakeService, url: str, images: Path, tmp_path: Path
    ) -> None:
        service.findings = [finding(rank, flagged=False) for rank in (1, 2)]
        service.findings[1]["suggested_label"] = service.findings[1]["given_label"]
        done = audit(url, images, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        for shown in (
            "most suspicious, none flagged",
            "cat → dog",
            "0 of 2 labels are worth a look.",
        ):
            assert shown in done.stdout
        assert "cat → cat" not in done.stdout

    @pytest.mark.parametrize("fallbacks", [[], ["uninformative_predictions"]])
    def test_tells_of_certain_conflicts_whatever_the_network_learned(
        self,
        service: FakeService,
        url: str,
        images: Path,
        tmp_path: Path,
        fallbacks: list[str],
    ) -> None:
        torn = [finding(rank, verdict="conflict") for rank in (1, 2)]
        service.findings, service.fallbacks = [*torn, finding(3)], fallbacks
        done = audit(url, images, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        told = "2 images are certain conflicts: the same picture has several labels, of which at"
        assert told in done.stdout
        asked = "between 70.0% and 99.0% of those that the network flags are wrong"
        assert (asked in done.stdout) is (not fallbacks)

    def test_does_not_call_labels_right_that_could_not_be_judged(
        self, service: FakeService, url: str, images: Path, tmp_path: Path
    ) -> None:
        unjudged = {"flagged": False, "p_mislabeled": None}
        service.findings = [finding(rank, **unjudged) for rank in (1, 2, 3)]
        done = audit(url, images, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "No label could be judged: each class has too few samples, at most 2." in done.stdout
        assert "Add samples to the classes, then audit again." in done.stdout
        for untrue in ("flagged", "are wrong", "worth a look", "suspicious", "top suspects"):
            assert untrue not in done.stdout, untrue

    def test_does_not_call_labels_right_where_the_network_learned_too_little(
        self, service: FakeService, url: str, images: Path, tmp_path: Path
    ) -> None:
        service.findings = [finding(rank, flagged=False) for rank in (1, 2)]
        service.fallbacks = ["uninformative_predictions"]
        done = audit(url, images, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "The network learned too little to judge the labels: any share" in done.stdout
        assert "That it flags none does not make them right" in done.stdout
        for untrue in ("worth a look", "%"):
            assert untrue not in done.stdout, untrue

    def test_passes_the_options_on(
        self, service: FakeService, url: str, images: Path, tmp_path: Path
    ) -> None:
        given = [
            "--method", "ce", "--epochs", "3", "--preset", "standard",
            "--signal", "margin", "--signal", "one of tomorrow",
        ]  # fmt: skip
        audit(url, images, *given, folder=tmp_path)
        wanted = {
            "preset": "standard", "method": "ce", "epochs": 3,
            "signals": ["margin", "one of tomorrow"],
        }  # fmt: skip
        options = json.dumps(wanted).encode()
        assert options in service.uploads[0]

    def test_does_not_send_the_results_of_an_earlier_run(
        self, service: FakeService, url: str, images: Path
    ) -> None:
        (images / "labelaudit-out").mkdir()
        (images / "labelaudit-out" / "suspects.png").write_bytes(b"old")
        assert audit(url, ".", folder=images).returncode == 0
        assert uploaded_archive(service).namelist() == ["cat/1.png", "dog/2.png"]

    def test_sends_an_archive_as_it_is(
        self, service: FakeService, url: str, tmp_path: Path
    ) -> None:
        (tmp_path / "x.tar.gz").write_bytes(b"any bytes")
        assert audit(url, "x.tar.gz", folder=tmp_path).returncode == 0
        assert b'filename="x.tar.gz"' in service.uploads[0]
        assert b"any bytes" in service.uploads[0]

    def test_adds_to_a_data_set(
        self, service: FakeService, url: str, images: Path, tmp_path: Path
    ) -> None:
        done = audit(url, images, "--add-to", "d0", "--epochs", "7", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        (request,) = (request for request in service.requests if request.method == "POST")
        assert request.url.path == "/v1/datasets/d0/parts"
        assert b'{"epochs": 7}' in service.uploads[0]
        assert uploaded_archive(service).namelist() == ["cat/1.png", "dog/2.png"]
        assert (tmp_path / "labelaudit-out" / "findings.csv").exists()


class TestFailure:
    @pytest.mark.parametrize(
        ("code", "exit_code"),
        [("empty_archive", 2), ("some_new_code", 2), ("worker_lost", 1), ("diverged", 1)],
    )
    def test_a_failed_job_tells_whose_fault_it_is(
        self, service: FakeService, url: str, images: Path, code: str, exit_code: int
    ) -> None:
        service.jobs = [job("failed", error={"code": code, "detail": "What happened.\x1b[2J"})]
        done = audit(url, images, folder=images.parent)
        assert done.returncode == exit_code
        assert f"error: What happened.�[2J ({code})" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_refused_upload_shows_the_services_words(
        self, service: FakeService, url: str, images: Path
    ) -> None:
        service.problem = problem(422, "unknown_method", "There is no method x.")
        done = audit(url, images, folder=images.parent)
        assert (done.returncode, "There is no method x. (unknown_method)" in done.stderr) == (
            2,
            True,
        )

    def test_a_private_service_has_no_data_set_to_add_to(self, images: Path) -> None:
        done = run_program("audit", images, "--add-to", "d0", folder=images.parent)
        assert done.returncode == 2
        assert "--add-to needs --url" in done.stderr
        assert "(url_missing)" in done.stderr
        assert not (images.parent / "labelaudit-out").exists()

    def test_an_unknown_data_set_to_add_to_is_told(
        self, service: FakeService, url: str, images: Path
    ) -> None:
        service.problem = problem(404, "not_found", "There is no such data set.")
        done = audit(url, images, "--add-to", "d0", folder=images.parent)
        assert done.returncode == 2
        assert "There is no such data set. (not_found)" in done.stderr

    def test_a_missing_path_is_told(self, tmp_path: Path) -> None:
        done = run_program("audit", "nowhere", folder=tmp_path)
        assert (done.returncode, done.stderr) == (
            2,
            "error: no such file or folder: 'nowhere' (not_found)\n",
        )

    def test_a_missing_key_is_told(self, images: Path) -> None:
        done = run_program("audit", images, "--url", "http://127.0.0.1:9", folder=images.parent)
        assert done.returncode == 2
        assert "LABELAUDIT_API_KEY is not set" in done.stderr

    def test_a_result_folder_that_cannot_be_is_told_before_the_work(
        self, service: FakeService, url: str, images: Path
    ) -> None:
        done = audit(url, images, "--out", images / "cat" / "1.png", folder=images.parent)
        assert done.returncode == 2
        assert not service.requests

    def test_a_service_that_is_not_there_is_told(self, images: Path) -> None:
        with serving(FakeService()) as gone:
            pass
        done = audit(gone, images, folder=images.parent)
        assert done.returncode == 1
        assert "(unreachable)" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_cancels_the_job(
    service: FakeService, url: str, images: Path, number: signal.Signals
) -> None:
    service.jobs = [job("running")]
    with started(
        [*COMMAND, "audit", str(images), "--url", url],
        cwd=images.parent,
        env=environment(LABELAUDIT_API_KEY=KEY),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(
            lambda: any(request.url.path == "/v1/jobs/j1" for request in service.requests),
            seconds=120,
            what="the job is followed",
        )
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert service.requests[-1].url.path == "/v1/jobs/j1/cancel"
    assert said.endswith("error: stopped before the end (cancelled)\n")
