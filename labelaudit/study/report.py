"""What a study shows of its finished cells: the table, and the pictures."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labelaudit.client.files import replacing
from labelaudit.errors import InputError
from labelaudit.study.markdown import accuracy_rows, page, published_rows
from labelaudit.study.origin import (
    common_options,
    describe_data,
    describe_origin,
    differing_options,
)
from labelaudit.study.pictures import draw_pictures
from labelaudit.study.published import SOURCE
from labelaudit.study.results import CellResult, StudyFolder
from labelaudit.study.table import StudyTable, summarise
from labelaudit.terminal import say


def report_study(out: Path) -> None:
    """Print the table of the finished cells; write `table.md`, `table.json` and the pictures.

    Raises:
        InputError: When no cell is finished.
    """
    folder = StudyFolder(out)
    cells = folder.read_cells()
    if not cells:
        raise InputError(
            f"{out} holds no finished cell", code="no_cells", hint="run the study first"
        )
    table = summarise(cells)
    _show(table)
    written = [out / "table.md", out / "table.json"]
    _write(written[0], page(table, cells))
    _write(written[1], json.dumps(_as_json(table, cells), indent=1) + "\n")
    pictures = draw_pictures(folder, cells)
    say("wrote " + ", ".join(map(str, written)) + f" and {len(pictures)} pictures")


def _show(table: StudyTable) -> None:
    console = Console(markup=False)
    title = "test accuracy in percent, best / last, and how well wrong labels are found"
    console.print(_rich_table(title, *accuracy_rows(table, line_break="\n"), show_lines=True))
    console.print(_rich_table("published: Arazo et al. 2019, other data", *published_rows()))


def _rich_table(
    title: str, head: list[str], rows: list[list[str]], *, show_lines: bool = False
) -> Table:
    shown = Table(*head, title=title, show_lines=show_lines)
    for row in rows:
        shown.add_row(*row)
    return shown


def _as_json(table: StudyTable, cells: list[CellResult]) -> dict[str, object]:
    head, *rows = published_rows()
    return {
        "num_cells": len(cells),
        "data": describe_data(cells),
        **table.as_json(),
        "settings": common_options(cells),
        "differing_settings": differing_options(cells),
        "origin": describe_origin(cells),
        "published": {"source": SOURCE, "head": head, "rows": rows[0]},
    }


def _write(target: Path, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_text(text, "utf-8")
