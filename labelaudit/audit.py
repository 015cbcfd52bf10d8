"""`labelaudit audit`, `score` and `export`: what they send, wait for and write."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from labelaudit.client import Client
from labelaudit.display import Outcome, show_outcome, upload_progress
from labelaudit.errors import InputError
from labelaudit.files import write_json
from labelaudit.results import NUM_TILES, write_contact_sheet, write_findings
from labelaudit.schemas import Finding, Job, Report
from labelaudit.service import (
    Service,
    check_service,
    check_source,
    connect,
    follow,
    make_out,
    stopped_by_ctrl_c,
)
from labelaudit.terminal import note, say

_AUDIT_FILES = ("findings.csv", "report.json", "suspects.png", "model.safetensors", "model.json")
_SCORE_FILES = ("findings.csv", "report.json")


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What the user asked `audit` for."""

    source: Path
    """A folder, or what the service takes as an upload."""
    out: Path
    options: Mapping[str, object]
    """Options of the job; the service checks them."""
    url: str | None = None
    """A running service; without it a private one is started."""
    columns: Mapping[str, object] = field(default_factory=dict)
    """The table's names for `path`, `label`, `split`, `annotator` or `labels`."""
    add_to: str | None = None
    """Id of a data set of that service: the images become part of its next version."""


def run_audit(request: AuditRequest) -> None:
    """Audit a data set and write the results under `request.out`."""
    _check_audit(request)
    with _work_folder() as work:
        archive = _archive_of(request, work)
        with connect(request.url, work) as service:
            job = _upload_and_audit(service, archive, request)
            _write_audit(service.client, job, request.out)


def _check_audit(request: AuditRequest) -> None:
    """Raise before the training what would fail after it."""
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


def _upload_and_audit(service: Service, archive: Path, request: AuditRequest) -> Job:
    with upload_progress(archive.stat().st_size) as show_sent:
        upload = service.client.upload_dataset(
            archive,
            options=request.options,
            columns=request.columns,
            add_to=request.add_to,
            on_sent=show_sent,
        )
    return follow(service, upload["job_id"])


def _write_audit(client: Client, job: Job, out: Path) -> None:
    job_id = job["id"]
    report, suspects = _write_findings(client, job_id, out)
    write_contact_sheet(suspects, client.image, out / "suspects.png")
    client.download_model(job_id, out / "model.safetensors")
    client.download_model(job_id, out / "model.json", form="card")
    show_outcome(
        Outcome(
            report=report,
            suspects=suspects,
            dataset=client.get_dataset(job["dataset_id"]),
            rejected=client.iter_rejected(job["dataset_id"]),
            files=[out / name for name in _AUDIT_FILES],
        )
    )


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What the user asked `score` for."""

    source: Path
    """An npz or a Parquet file with `pred_probs` and `given_label`."""
    out: Path
    url: str | None = None
    """A running service; without it a private one is started."""


def run_score(request: ScoreRequest) -> None:
    """Judge labels by predicted probabilities and write the results under `request.out`.

    In `findings.csv`, `path` is the number of the row in the file, from 0.
    """
    check_source(request.source)
    if request.source.is_dir():
        hint = "`labelaudit audit` takes a folder of images"
        raise InputError(f"{request.source} is a folder", code="not_a_file", hint=hint)
    check_service(request.url)
    make_out(request.out)
    with _work_folder() as work, connect(request.url, work) as service:
        with upload_progress(request.source.stat().st_size) as show_sent:
            upload = service.client.upload_scores(request.source, on_sent=show_sent)
        job = follow(service, upload["job_id"])
        _write_scores(service.client, job, request.out)


def _write_scores(client: Client, job: Job, out: Path) -> None:
    report, suspects = _write_findings(client, job["id"], out)
    show_outcome(
        Outcome(
            report=report,
            suspects=suspects,
            dataset=client.get_dataset(job["dataset_id"]),
            rejected=(),
            files=[out / name for name in _SCORE_FILES],
        )
    )


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the user asked `export` for."""

    dataset_id: str
    options: Mapping[str, object]
    """`format` and the other options of `POST …/exports`."""
    out: Path
    url: str | None


def run_export(request: ExportRequest) -> None:
    """Export a data set of a running service, and write the file under `request.out`."""
    check_service(request.url)
    make_out(request.out)
    with stopped_by_ctrl_c(), connect(request.url, request.out) as service:
        say(str(_export(service, request)))


def _export(service: Service, request: ExportRequest) -> Path:
    started = service.client.start_export(request.dataset_id, **request.options)
    follow(service, started["job_id"])
    file = service.client.get_export(started["export_id"])["file"]
    name = "" if file is None else PurePosixPath(file["name"]).name
    target = request.out / (name or "export")
    service.client.download_export(started["export_id"], target)
    return target


@contextmanager
def _work_folder() -> Iterator[Path]:
    """Yield a temporary folder for a private service and its upload; Ctrl-C ends the block."""
    with (
        tempfile.TemporaryDirectory(prefix="labelaudit-", ignore_cleanup_errors=True) as name,
        stopped_by_ctrl_c(),
    ):
        yield Path(name)


def _write_findings(client: Client, job_id: str, out: Path) -> tuple[Report, list[Finding]]:
    """Write findings and report; return the report and the worst findings."""
    report = client.get_report(job_id)
    findings = client.iter_findings(job_id)
    suspects = write_findings(findings, out / "findings.csv", num_top=NUM_TILES)
    write_json(out / "report.json", report)
    return report, suspects


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into an archive and what did not."""

    num_files: int
    num_left_out: int
    """Links, special files, names that are no text, files that cannot be read."""


def pack_folder(folder: Path, archive: Path, *, without: Path | None = None) -> Packed:
    """Write the regular files of `folder` into a zip, uncompressed since images are already.

    Hidden files and the folder `without`, where an earlier run left its results, stay out.
    The same files always make the same archive.
    """
    num_files = num_left_out = 0
    excluded = None if without is None else without.resolve()
    with ZipFile(archive, "w", ZIP_STORED) as packed:
        for entry in _walk(folder.resolve(), excluded):
            if _add(packed, entry, folder.resolve()):
                num_files += 1
            else:
                num_left_out += 1
    return Packed(num_files, num_left_out)


def _walk(folder: Path, excluded: Path | None) -> Iterator[os.DirEntry[str]]:
    """Yield files and links, in the order of their names."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if not entry.is_dir(follow_symlinks=False):
            yield entry
        elif Path(entry.path) != excluded:
            yield from _walk(Path(entry.path), excluded)


def _add(packed: ZipFile, entry: os.DirEntry[str], root: Path) -> bool:
    """Add one file; return whether that was possible."""
    name = Path(entry.path).relative_to(root).as_posix()
    if not (entry.is_file(follow_symlinks=False) and _is_text(name)):
        return False
    try:
        source = open(entry.path, "rb")  # noqa: PTH123, SIM115 - closed below, once it did open
    except OSError:
        return False
    with source:
        member = ZipInfo(name)  # dated 1980: no time of the user's file goes into the archive
        member.file_size = os.fstat(source.fileno()).st_size
        with packed.open(member, "w") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
    return True


def _is_text(name: str) -> bool:
    """Tell whether the file system's bytes are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
