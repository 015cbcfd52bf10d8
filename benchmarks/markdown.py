"""Tables in Markdown, with where their figures come from."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.harness import Result

Row = Sequence[object]

NOT_RUN = "Not run."


def section(text: str, head: Sequence[str], rows: Iterable[Row], found: Sequence[Result]) -> str:
    """Return what was measured, as a table, and where; or that nothing was."""
    cells = [[str(each) for each in row] for row in rows]
    if not cells:
        return f"{text}\n\n{NOT_RUN}"
    return f"{text}\n\n{markdown_table(head, cells)}\n\n{_origin(found)}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _origin(found: Sequence[Result]) -> str:
    """Return on what the figures were measured."""
    machines = {
        f"{each.get('processor', each.get('machine'))}, {each['cores']} cores, Python "
        f"{each['python']}" + (f", PyTorch {each['torch']}" if "torch" in each else "")
        for each in found
    }
    commits = sorted({each["commit"][:7] for each in found})
    return f"Measured on {'; '.join(sorted(machines))}; at {', '.join(commits)}."


def read(file: Path) -> Result:
    """Return a stored result."""
    result: Result = json.loads(file.read_text())
    return result
