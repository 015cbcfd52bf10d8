"""The program `labelaudit`: its commands and their options."""
# ruff: noqa: PLC0415 - each command loads what it needs, so that --help answers at once

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from labelaudit.errors import EXIT_OURS, LabelAuditError, ServiceError
from labelaudit.schemas import (
    ExcludedChoice,
    ExportFormat,
    LabelChoice,
    Method,
    Preset,
    Scope,
    Signal,
    Split,
)
from labelaudit.supervisor import follow_parent
from labelaudit.terminal import say, show_error

app = typer.Typer(
    help="Find the wrong labels in an image data set.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
db_app = typer.Typer(help="Upgrade or copy the database.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(db_app, name="db")

_OF_SERVICE = frozenset({"api", "db", "keys", "serve", "sweeper", "worker"})
"""Commands that write into the data folder: only its owner may read images and keys."""
_SIGNALS = f"Repeatable: {', '.join(get_args(Signal))}"
_SCOPES = f"Repeatable: {', '.join(get_args(Scope))}"
OutOption = Annotated[Path, typer.Option(help="Folder for the results.")]
UrlOption = Annotated[str | None, typer.Option(help="A service; its key in LABELAUDIT_API_KEY.")]
_Host = Annotated[str | None, typer.Option(help="Address; else LABELAUDIT_HOST, 127.0.0.1.")]
_Port = Annotated[int | None, typer.Option(help="Else LABELAUDIT_PORT, 8000; 0: any free port.")]


def main() -> None:
    """Run the program; expected failures end in one line, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # class names may not suit the terminal
    try:
        app()
    except LabelAuditError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        show_error(ServiceError(f"{where}{error.strerror or error}", code="os_error"))
        sys.exit(EXIT_OURS)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        from importlib.metadata import version

        say(f"labelaudit {version('labelaudit')}")
        raise typer.Exit


_Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
]


@app.callback()
def _program(
    context: typer.Context,
    *,
    _version: _Version = False,
) -> None:
    follow_parent(os.environ)
    if context.invoked_subcommand in _OF_SERVICE:
        os.umask(0o077)


@app.command()
def serve(
    host: _Host = None,
    port: _Port = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for all data; else LABELAUDIT_DATA_DIR, ./labelaudit-data."),
    ] = None,
) -> None:
    """Run the whole service on this machine until Ctrl-C."""
    from labelaudit.serve import serve as run

    run(host, port, data_dir)


@app.command()
def audit(  # noqa: PLR0913 - options of the command line
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A folder of images, an archive, a table, an npz."),
    ],
    *,
    preset: Annotated[Preset | None, typer.Option(help="How to train; default: auto.")] = None,
    method: Annotated[Method | None, typer.Option(help="Training method.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Makes a run repeatable.")] = None,
    signal: Annotated[list[str] | None, typer.Option(help=f"{_SIGNALS}. Default: all.")] = None,
    path_column: Annotated[str | None, typer.Option(help="Column of a table: paths.")] = None,
    label_column: Annotated[
        list[str] | None, typer.Option(help="Column of a table: labels. One per annotator.")
    ] = None,
    split_column: Annotated[str | None, typer.Option(help="Column of a table: splits.")] = None,
    annotator_column: Annotated[
        str | None, typer.Option(help="Column of a table: annotators.")
    ] = None,
    add_to: Annotated[
        str | None, typer.Option(help="Id of a data set at --url: audit its next version.")
    ] = None,
    out: OutOption = Path("labelaudit-out"),
    url: UrlOption = None,
) -> None:
    """Find the wrong labels of a data set.

    PATH is class folders, or images with a table of labels (CSV, JSON lines, Parquet, Label
    Studio JSON), as a folder, zip or tar; or Parquet with images, or an npz.
    """
    from labelaudit.audit import AuditRequest, run_audit

    _end_as_by_ctrl_c()
    labels = label_column or []
    options = _given(preset=preset, method=method, epochs=epochs, seed=seed, signals=signal or None)
    columns = _given(
        path=path_column, split=split_column, annotator=annotator_column,
        label=labels[0] if len(labels) == 1 else None,
        labels=labels if len(labels) > 1 else None,
    )  # fmt: skip
    run_audit(AuditRequest(path, out, options, url, columns, add_to))


@app.command()
def score(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="npz or Parquet: pred_probs and given_label.")
    ],
    *,
    out: OutOption = Path("labelaudit-out"),
    url: UrlOption = None,
) -> None:
    """Find the wrong labels by predicted probabilities, without training.

    In findings.csv, the path of a sample is the number of its row in FILE, from 0.
    """
    from labelaudit.audit import ScoreRequest, run_score

    _end_as_by_ctrl_c()
    run_score(ScoreRequest(file, out, url))


@app.command()
def export(  # noqa: PLR0913 - options of the command line
    dataset_id: Annotated[str, typer.Argument(metavar="DATASET", help="Id of the data set.")],
    *,
    form: Annotated[ExportFormat, typer.Option("--format", help="Format of the export.")],
    labels: Annotated[LabelChoice | None, typer.Option(help="Which labels to write.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Accept suggestions from here on.")] = None,
    job: Annotated[str | None, typer.Option(help="Id of the audit; default: the newest.")] = None,
    excluded: Annotated[ExcludedChoice | None, typer.Option(help="Excluded samples.")] = None,
    split: Annotated[Split | None, typer.Option(help="Export only this split.")] = None,
    out: OutOption = Path("labelaudit-out"),
    url: UrlOption = "http://127.0.0.1:8000",
) -> None:
    """Write a data set with its reviewed labels for another tool."""
    from labelaudit.audit import ExportRequest, run_export

    _end_as_by_ctrl_c()
    options = _given(
        format=form, labels=labels, min_p=min_p, job_id=job, excluded=excluded, split=split
    )
    run_export(ExportRequest(dataset_id, options, out, url))


@app.command()
def demo(out: OutOption = Path("labelaudit-out")) -> None:
    """Find planted wrong labels in real handwritten digits."""
    from labelaudit.demo import run_demo

    _end_as_by_ctrl_c()
    run_demo(out)


@app.command()
def doctor() -> None:
    """Check this installation, and say how to fix what is missing."""
    from labelaudit.doctor import run_doctor

    if not run_doctor():
        raise typer.Exit(EXIT_OURS)


@app.command()
def worker(
    queue: Annotated[Literal["gpu", "cpu"], typer.Option(help="gpu trains; cpu: short jobs.")],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only ask this machine's worker whether it is well.")
    ] = False,
) -> None:
    """Work on one queue of jobs until SIGTERM."""
    from worker.main import is_well, run

    if not check:
        run(queue)
    elif not is_well(queue):
        raise typer.Exit(EXIT_OURS)


@app.command()
def sweeper() -> None:
    """Requeue jobs whose worker died, and wake idle workers, until SIGTERM."""
    from worker.runtime.sweeper import run

    run()


@app.command()
def api(
    host: _Host = None,
    port: _Port = None,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run only the HTTP front end, on a database that exists."""
    from labelaudit.serve import run_api

    run_api(host, port, listener)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Name of the key, for people.")],
    scope: Annotated[list[str], typer.Option(help=f"{_SCOPES}.")],
    expires_days: Annotated[int | None, typer.Option(min=1, help="Until the key expires.")] = None,
    tenant: Annotated[str, typer.Option(help="Tenant that the key belongs to.")] = "default",
) -> None:
    """Make a key and print it, this once."""
    from labelaudit.administration import create_key as run

    run(name, scope, expires_days, tenant)


@keys_app.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    from labelaudit.administration import list_keys as run

    run()


@keys_app.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="Id, as `keys list` shows it.")]) -> None:
    """Revoke a key for good."""
    from labelaudit.administration import revoke_key as run

    run(key_id)


@db_app.command("upgrade")
def upgrade() -> None:
    """Bring the database to the newest schema; a new one is made."""
    from labelaudit.administration import load_settings, upgrade_database

    upgrade_database(load_settings())


@db_app.command("backup")
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the copy.")],
) -> None:
    """Copy the SQLite database while it is in use (PostgreSQL has pg_dump)."""
    from labelaudit.administration import backup_database, load_settings

    backup_database(load_settings(), target)


def _given(**options: object) -> dict[str, object]:
    """Return the options that the user gave; the service knows the defaults of the others."""
    return {name: value for name, value in options.items() if value is not None}


def _end_as_by_ctrl_c() -> None:
    """Make SIGTERM and a closed terminal cancel the job, as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
