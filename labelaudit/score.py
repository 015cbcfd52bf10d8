"""`labelaudit score`: findings from predicted probabilities, without training."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from labelaudit.client import Client
from labelaudit.client.files import write_json
from labelaudit.errors import InputError
from labelaudit.findings_file import write_findings
from labelaudit.progress import upload_progress
from labelaudit.running import (
    check_service,
    check_source,
    connect,
    follow,
    make_out,
    stopped_by_ctrl_c,
)
from labelaudit.schemas import Job
from labelaudit.summary import Outcome, show_outcome

_NUM_SHOWN = 40
_OUTPUTS = ("findings.csv", "report.json")


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What the user asked for."""

    source: Path
    """An npz or a Parquet file with `pred_probs` and `given_label`."""
    out: Path
    url: str | None = None
    """A running service; without it a private one is started."""


def run_score(request: ScoreRequest) -> None:
    """Judge labels by probabilities and write what was found under `request.out`.

    In `findings.csv`, `path` is the number of the row in the file, from 0.
    """
    _check_request(request)
    with (
        tempfile.TemporaryDirectory(prefix="labelaudit-", ignore_cleanup_errors=True) as name,
        stopped_by_ctrl_c(),
        connect(request.url, Path(name)) as service,
    ):
        with upload_progress(request.source.stat().st_size) as show_sent:
            upload = service.client.upload_scores(request.source, on_sent=show_sent)
        job = follow(service, upload["job_id"])
        show_outcome(_write_outputs(service.client, job, request.out))


def _check_request(request: ScoreRequest) -> None:
    check_source(request.source)
    if request.source.is_dir():
        hint = "`labelaudit audit` takes a folder of images"
        raise InputError(f"{request.source} is a folder", code="not_a_file", hint=hint)
    check_service(request.url)
    make_out(request.out)


def _write_outputs(client: Client, job: Job, out: Path) -> Outcome:
    report = client.get_report(job["id"])
    findings = client.iter_findings(job["id"])
    suspects = write_findings(findings, out / "findings.csv", num_top=_NUM_SHOWN)
    write_json(out / "report.json", report)
    return Outcome(
        report=report,
        suspects=suspects,
        dataset=client.get_dataset(job["dataset_id"]),
        rejected=(),
        files=[out / name for name in _OUTPUTS],
    )
