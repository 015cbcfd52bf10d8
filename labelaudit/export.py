"""`labelaudit export`: a data set of a running service as a file for another tool."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labelaudit.running import Service, check_service, connect, follow, make_out, stopped_by_ctrl_c
from labelaudit.terminal import say


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the user asked for."""

    dataset_id: str
    options: Mapping[str, object]
    """`format` and what else `POST …/exports` takes."""
    out: Path
    url: str | None


def run_export(request: ExportRequest) -> None:
    """Have the service write the export, and put its file under `request.out`."""
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
