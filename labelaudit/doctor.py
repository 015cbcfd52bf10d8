"""`labelaudit doctor`: what is missing, and how to fix it."""
# ruff: noqa: PLC0415 - the service's code loads only for the commands that need it

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from labelaudit.administration import (
    HOW_TO_RAISE,
    NO_WALL,
    load_settings,
    missing_wall,
    open_database,
)
from labelaudit.errors import LabelAuditError
from labelaudit.terminal import printable

if TYPE_CHECKING:
    from app.core.db import Database
    from app.core.settings import Settings

_OLDEST_PYTHON = (3, 11)
_TORCH_SECONDS = 120
_LATE_SECONDS = 120.0
"""The sweeper runs every few seconds and wakes an idle worker within a minute."""
_ASK_TORCH = """
import torch
device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
print(f"torch {torch.__version__}, {device}")
"""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    name: str
    state: str
    """What was found."""
    fix: str = ""
    """What to do; empty if all is well."""


def run_doctor() -> bool:
    """Print one line for each check; return whether all is well."""
    settings = load_settings()
    looks: list[Callable[[Settings], Check]] = [
        _look_at_python,
        _look_at_folder,
        _look_at_store,
        _look_at_database,
        _look_at_sharing,
        _look_at_broker,
        _look_at_jobs,
        _look_at_webhooks,
        _look_at_torch,
    ]
    checks = [look(settings) for look in looks]
    for check in checks:
        _show(check)
    return not any(check.fix for check in checks)


def _show(check: Check) -> None:
    mark = typer.style("problem", fg="red") if check.fix else typer.style("ok     ", fg="green")
    typer.echo(f"{mark}  {check.name}: {printable(check.state)}")
    if check.fix:
        typer.echo(f"         {printable(check.fix)}")


def _look_at_python(_settings: "Settings") -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    fix = "" if sys.version_info >= _OLDEST_PYTHON else "install Python 3.11 or newer"
    return Check("Python", version, fix)


def _look_at_folder(settings: "Settings") -> Check:
    return _look_at_volume(
        "data folder", settings.data_dir.resolve(), settings, variable="LABELAUDIT_DATA_DIR"
    )


def _look_at_store(settings: "Settings") -> Check:
    if settings.store_url is None:
        return Check("store", "in the data folder")
    if settings.s3_url is not None:
        return _look_at_s3(settings, settings.s3_url)
    return _look_at_volume(
        "store", settings.store_folder, settings, variable="LABELAUDIT_STORE_URL"
    )


def _look_at_s3(settings: "Settings", url: str) -> Check:
    from app.core.blobs import StoreState, look_at_store

    if importlib.util.find_spec("obstore") is None:
        return Check("store", f"{url} needs obstore", "pip install 'labelaudit[s3]'")
    state = look_at_store(settings)
    bucket = url.split("/")[2]
    fixes = {
        StoreState.USABLE: "",
        StoreState.SILENT: "start the store, or check LABELAUDIT_S3_ENDPOINT",
        StoreState.NO_BUCKET: f"make the bucket {bucket}, or check LABELAUDIT_STORE_URL",
        StoreState.REFUSED: "check the AWS_… variables and what they may do in the bucket",
    }
    return Check("store", url if state is StoreState.USABLE else f"{url}: {state}", fixes[state])


def _look_at_volume(name: str, folder: Path, settings: "Settings", *, variable: str) -> Check:
    """Check a folder without making it: it may not exist yet."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        fix = f"make {existing} writable, or set {variable}"
        return Check(name, f"{folder} cannot be written", fix)
    free = shutil.disk_usage(existing).free
    fix = ""
    if free < 2 * settings.min_free_bytes:
        fix = f"free some space, or set {variable} to another volume"
    return Check(name, f"{folder}, {free / 1e9:.1f} GB free", fix)


def _look_at_database(settings: "Settings") -> Check:
    from app.core.migrate import is_current

    if settings.lacks_database:
        return Check("database", f"{settings.data_dir / 'labelaudit.db'} is made on first use")
    try:
        with open_database(settings) as database:
            current = is_current(database)
            statements = missing_wall(database) if current else ""
    except LabelAuditError as error:
        return Check("database", error.detail, "check LABELAUDIT_DATABASE_URL and its server")
    if statements:
        fix = f"{HOW_TO_RAISE} {statements}"
        return Check("database", f"at the newest schema; {NO_WALL}", fix)
    if current:
        return Check("database", "at the newest schema")
    return Check("database", "not at the newest schema", "labelaudit db upgrade")


def _look_at_sharing(settings: "Settings") -> Check:
    """Check that this machine sees the folders that the API puts uploads into."""
    from app.core.storage import DataFolder
    from app.jobs.shared_folder import NOT_SHARED, SharedFolder

    try:
        with _opened(settings) as database:
            if database is None:
                return Check("shared folders", "unknown without a database of the newest schema")
            unseen = SharedFolder(database, DataFolder(settings)).unseen()
    except LabelAuditError:
        return Check("shared folders", "unknown without the database")
    if unseen is not None:
        return Check("shared folders", f"{unseen} is not shared", NOT_SHARED)
    return Check("shared folders", "as the API's")


def _look_at_broker(settings: "Settings") -> Check:
    if settings.redis_url is None:
        return Check("broker", "files in the data folder")
    import redis

    client = redis.Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        fix = "start Redis, or check LABELAUDIT_REDIS_URL"
        return Check("broker", f"Redis does not answer: {error}", fix)
    finally:
        client.close()
    return Check("broker", "Redis answers")


def _look_at_jobs(settings: "Settings") -> Check:
    """Check workers and sweeper by the rows of jobs: they may run on other machines."""
    return _look_at_rows("jobs", settings, _look_at_queues)


def _look_at_webhooks(settings: "Settings") -> Check:
    return _look_at_rows("webhooks", settings, _look_at_outbox)


def _look_at_rows(name: str, settings: "Settings", look: "Callable[[Database], Check]") -> Check:
    try:
        with _opened(settings) as database:
            if database is None:
                return Check(name, "unknown without a database of the newest schema")
            return look(database)
    except LabelAuditError:
        return Check(name, "unknown without the database")


@contextmanager
def _opened(settings: "Settings") -> Iterator["Database | None"]:
    """Yield the database if it exists with the newest schema, else None."""
    from app.core.migrate import is_current

    if settings.lacks_database:
        yield None
        return
    with open_database(settings) as database:
        yield database if is_current(database) else None


def _look_at_queues(database: "Database") -> Check:
    from app.core.clock import utc_now
    from app.jobs.repository import GaugeRepository
    from app.models import JobState

    with database.read() as session:
        gauges = GaugeRepository(session)
        counts = {(state, queue): number for state, queue, number in gauges.count_jobs()}
        waiting = {queue: utc_now() - since for queue, since in gauges.oldest_queued()}
        leases = gauges.shortest_leases()
    if any(seconds < -_LATE_SECONDS for _, seconds in leases):
        return Check("jobs", "running jobs have lost their workers", "start `labelaudit sweeper`")
    for queue, age in waiting.items():
        is_idle = not counts.get((JobState.RUNNING, queue), 0)
        if is_idle and age.total_seconds() > _LATE_SECONDS:
            fix = f"start `labelaudit worker --queue {queue.value}`"
            return Check("jobs", f"waiting for {age.total_seconds():.0f} s, and none runs", fix)
    num_running = sum(number for (state, _), number in counts.items() if state is JobState.RUNNING)
    return Check("jobs", f"{num_running} running, {len(waiting)} queues with jobs waiting")


def _look_at_outbox(database: "Database") -> Check:
    from app.webhooks.repository import OutboxRepository

    with database.read() as session:
        seconds = OutboxRepository(session).seconds_late()
    if seconds > _LATE_SECONDS:
        state = f"a message has been due for {seconds:.0f} s"
        return Check("webhooks", state, "start `labelaudit sweeper`, or look at its log")
    return Check("webhooks", "no message is late")


def _look_at_torch(settings: "Settings") -> Check:
    """Import PyTorch in a process of its own: a broken one may crash its interpreter."""
    if importlib.util.find_spec("torch") is None:
        if settings.redis_url is not None:
            return Check("training", "no torch: API and sweeper need none, workers do")
        return Check("training", "torch is not installed", "pip install 'labelaudit[all]'")
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-c", _ASK_TORCH],
            capture_output=True,
            text=True,
            timeout=_TORCH_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
        return Check("training", f"torch does not load: {lines[-1]}", "install torch again")
    except subprocess.TimeoutExpired:
        return Check("training", "torch takes too long to load", "install torch again")
    return Check("training", answer.stdout.strip())
