"""The program `labelaudit`: what can be said on its command line."""
# ruff: noqa: PLC0415 - each command loads what it needs, so that --help answers at once

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from labelaudit.administration import db_app, keys_app
from labelaudit.errors import EXIT_OURS, LabelAuditError, ServiceError
from labelaudit.parent import follow_parent
from labelaudit.terminal import say, show_error

app = typer.Typer(
    help="Finds the wrong labels in an image data set.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(keys_app, name="keys")
app.add_typer(db_app, name="db")

_FORMATS = "csv, jsonl, parquet, imagefolder, label-studio, fiftyone, cleanlab or croissant."
OutOption = Annotated[Path, typer.Option(help="Folder for the results.")]
UrlOption = Annotated[
    str | None, typer.Option(help="A running service; its key in LABELAUDIT_API_KEY.")
]


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


_OF_SERVICE = frozenset({"api", "db", "keys", "serve", "sweeper", "worker"})
"""Commands that write into the data folder: images and keys are nobody else's business."""


@app.callback()
def _program(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    follow_parent(os.environ)
    if context.invoked_subcommand in _OF_SERVICE:
        os.umask(0o077)


_Host = Annotated[
    str | None, typer.Option(help="Address to listen on; else LABELAUDIT_HOST, 127.0.0.1.")
]
_Port = Annotated[int | None, typer.Option(help="Else LABELAUDIT_PORT, 8000; 0 takes a free one.")]


@app.command()
def serve(
    host: _Host = None,
    port: _Port = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="All that is kept; else LABELAUDIT_DATA_DIR, ./labelaudit-data."),
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
    preset: Annotated[str | None, typer.Option(help="auto, quick, standard or paper.")] = None,
    method: Annotated[str | None, typer.Option(help="Training method, such as m-dyr-h.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same run.")] = None,
    signal: Annotated[
        list[str] | None,
        typer.Option(help="Judge by this signal, such as prediction; once for each. Else by all."),
    ] = None,
    path_column: Annotated[str | None, typer.Option(help="In a table of labels.")] = None,
    label_column: Annotated[
        list[str] | None, typer.Option(help="In a table of labels; one for each annotator.")
    ] = None,
    split_column: Annotated[str | None, typer.Option(help="In a table of labels.")] = None,
    annotator_column: Annotated[str | None, typer.Option(help="In a table of labels.")] = None,
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
    given = {
        "preset": preset, "method": method, "epochs": epochs, "seed": seed,
        "signals": signal or None,
    }  # fmt: skip
    options = {name: value for name, value in given.items() if value is not None}
    labels = label_column or []
    named = {
        "path": path_column, "split": split_column, "annotator": annotator_column,
        "label": labels[0] if len(labels) == 1 else None,
        "labels": labels if len(labels) > 1 else None,
    }  # fmt: skip
    columns = {column: name for column, name in named.items() if name is not None}
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

    The path in findings.csv is the number of the row in FILE, from 0.
    """
    from labelaudit.score import ScoreRequest, run_score

    _end_as_by_ctrl_c()
    run_score(ScoreRequest(file, out, url))


@app.command()
def export(  # noqa: PLR0913 - options of the command line
    dataset_id: Annotated[str, typer.Argument(metavar="DATASET", help="Id of the data set.")],
    *,
    form: Annotated[str, typer.Option("--format", help=_FORMATS)],
    labels: Annotated[str | None, typer.Option(help="given, decisions or suggestions.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Take suggestions from this p on.")] = None,
    job: Annotated[str | None, typer.Option(help="Id of the audit; else the newest.")] = None,
    excluded: Annotated[str | None, typer.Option(help="leave_out or mark.")] = None,
    split: Annotated[str | None, typer.Option(help="train or test alone.")] = None,
    out: OutOption = Path("labelaudit-out"),
    url: UrlOption = "http://127.0.0.1:8000",
) -> None:
    """Write a data set with its reviewed labels for another tool."""
    from labelaudit.export import ExportRequest, run_export

    _end_as_by_ctrl_c()
    given = {
        "format": form, "labels": labels, "min_p": min_p, "job_id": job, "excluded": excluded,
        "split": split,
    }  # fmt: skip
    options = {name: value for name, value in given.items() if value is not None}
    run_export(ExportRequest(dataset_id, options, out, url))


@app.command()
def demo(out: OutOption = Path("labelaudit-out")) -> None:
    """Find planted wrong labels in real handwritten digits."""
    from labelaudit.demo import run_demo

    _end_as_by_ctrl_c()
    run_demo(out)


@app.command()
def doctor() -> None:
    """Look for what is missing, and say how to mend it."""
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
    """Heal jobs whose worker or wake-up was lost, until SIGTERM."""
    from worker.sweeper import run

    run()


@app.command()
def api(
    host: _Host = None,
    port: _Port = None,
    listener: Annotated[int | None, typer.Option(hidden=True, help="Open socket to use.")] = None,
) -> None:
    """Run the HTTP front end alone, on a database that is there already."""
    from labelaudit.serve import run_api

    run_api(host, port, listener)


def _end_as_by_ctrl_c() -> None:
    """Make SIGTERM and a closed terminal cancel the job too, and remove what is temporary."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
