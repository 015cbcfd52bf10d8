"""What every command does that has a service work for it: check, connect, follow a job."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from labelaudit.client import Client
from labelaudit.errors import InputError, LabelAuditError, ServiceError
from labelaudit.extras import require_worker
from labelaudit.private import private_service
from labelaudit.progress import job_progress
from labelaudit.schemas import Job
from labelaudit.terminal import note

KEY_VARIABLE = "LABELAUDIT_API_KEY"


@dataclass(frozen=True, slots=True)
class Service:
    """A service to use, somebody's or our own."""

    client: Client
    check: Callable[[], None]
    """Raises when the service is gone for good."""


def check_source(source: Path) -> None:
    """Make sure that what is to be sent can be read."""
    if not source.exists():
        raise InputError(f"there is no {source}", code="not_found")
    if not (source.is_dir() or source.is_file()):
        raise InputError(f"{source} is neither a folder nor a file", code="not_a_file")
    if not os.access(source, os.R_OK):
        raise InputError(f"{source} cannot be read", code="not_readable")


def check_service(url: str | None) -> None:
    """Make sure that a service can be used, or one of our own be started."""
    if url is None:
        require_worker()
    elif not os.environ.get(KEY_VARIABLE, "").strip():
        hint = f"set it to a key of {url}; `labelaudit keys create` there makes one"
        raise InputError(f"{KEY_VARIABLE} is not set", code="key_missing", hint=hint)


def make_out(out: Path) -> None:
    """Make the folder of the results: what would stop us at the end is found out now."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        detail = f"cannot make the folder {out}: {error.strerror}"
        raise InputError(detail, code="out_not_writable", hint="choose another --out") from error
    if not os.access(out, os.W_OK):
        raise InputError(f"cannot write into {out}", code="out_not_writable")


@contextmanager
def stopped_by_ctrl_c() -> Iterator[None]:
    """Turn Ctrl-C into an expected failure."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise ServiceError("stopped before the end", code="cancelled") from interrupt


@contextmanager
def connect(url: str | None, work: Path) -> Iterator[Service]:
    """Yield the service at `url`, else one of our own whose data lie in `work`."""
    if url is not None:
        with Client(url, os.environ[KEY_VARIABLE], retries=0) as client:
            yield Service(client, check=lambda: None)
        return
    note("starting a private service")
    with private_service(work) as private, Client(private.url, private.key, retries=0) as client:
        yield Service(client, check=private.check)


def follow(service: Service, job_id: str) -> Job:
    """Show a job until it has succeeded; Ctrl-C cancels it."""
    note(f"job {job_id}")
    try:
        with job_progress() as show:
            return service.client.wait(job_id, on_progress=show, check=service.check)
    except KeyboardInterrupt:
        note("cancelling the job")
        with suppress(LabelAuditError):  # it may have ended meanwhile
            service.client.cancel(job_id)
        raise
