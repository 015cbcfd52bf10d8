"""`labelaudit audit`: from a folder or an archive to findings, pictures and a model."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labelaudit.client import Client
from labelaudit.client.files import write_json
from labelaudit.contact_sheet import NUM_TILES, write_contact_sheet
from labelaudit.errors import InputError
from labelaudit.findings_file import write_findings
from labelaudit.pack import pack_folder
from labelaudit.progress import upload_progress
from labelaudit.running import (
    Service,
    check_service,
    check_source,
    connect,
    follow,
    make_out,
    stopped_by_ctrl_c,
)
from labelaudit.schemas import Job
from labelaudit.summary import Outcome, show_outcome
from labelaudit.terminal import note

OUTPUTS = ("findings.csv", "report.json", "suspects.png", "model.safetensors", "model.json")


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What the user asked for."""

    source: Path
    """A folder, or what the service takes as an upload."""
    out: Path
    options: Mapping[str, object]
    """Options of the job; the service knows which are good."""
    url: str | None = None
    """A running service; without it a private one is started."""
    columns: Mapping[str, object] = field(default_factory=dict)
    """What a table of labels calls `path`, `label`, `split`, `annotator` or `labels`."""
    add_to: str | None = None
    """Id of a data set of that service: the images are added to it, as its next version."""


def run_audit(request: AuditRequest) -> None:
    """Audit a data set and write what was found under `request.out`."""
    _check_request(request)
    with (
        tempfile.TemporaryDirectory(prefix="labelaudit-", ignore_cleanup_errors=True) as name,
        stopped_by_ctrl_c(),
    ):
        work = Path(name)
        archive = _archive_of(request, work)
        with connect(request.url, work) as service:
            job = _run_job(service, archive, request)
            show_outcome(_write_outputs(service.client, job, request.out))


def _check_request(request: AuditRequest) -> None:
    """Find out now what would stop us after the training."""
    check_source(request.source)
    check_service(request.url)
    if request.add_to is not None and request.url is None:
        detail = "--add-to needs --url: a private service has no data sets"
        raise InputError(detail, code="url_missing")
    make_out(request.out)


def _archive_of(request: AuditRequest, work: Path) -> Path:
    if request.source.is_file():
        return request.source
    archive = work / f"{request.source.resolve().name or 'images'}.zip"
    packed = pack_folder(request.source, archive, without=request.out)
    note(f"packed {packed.num_files} files")
    if packed.num_left_out:
        note(f"left out {packed.num_left_out} links, special or unreadable files")
    return archive


def _run_job(service: Service, archive: Path, request: AuditRequest) -> Job:
    with upload_progress(archive.stat().st_size) as show_sent:
        upload = service.client.upload_dataset(
            archive,
            options=request.options,
            columns=request.columns,
            add_to=request.add_to,
            on_sent=show_sent,
        )
    return follow(service, upload["job_id"])


def _write_outputs(client: Client, job: Job, out: Path) -> Outcome:
    job_id, dataset_id = job["id"], job["dataset_id"]
    report = client.get_report(job_id)
    suspects = write_findings(client.iter_findings(job_id), out / "findings.csv", num_top=NUM_TILES)
    write_json(out / "report.json", report)
    write_contact_sheet(suspects, client.image, out / "suspects.png")
    client.download_model(job_id, out / "model.safetensors")
    client.download_model(job_id, out / "model.json", form="card")
    return Outcome(
        report=report,
        suspects=suspects,
        dataset=client.get_dataset(dataset_id),
        rejected=client.iter_rejected(dataset_id),
        files=[out / name for name in OUTPUTS],
    )
