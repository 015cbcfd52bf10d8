"""The tables of what the service does under load."""

from pathlib import Path

from benchmarks.harness import Result
from benchmarks.markdown import read, section

_ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_QUEUE = {
    "first_page_ms": "first page, of all findings",
    "first_page_of_a_rare_kind_ms": "first page, of a kind that one sample in 5,000 is of",
    "next_page_ms": "next page",
    "decision_ms": "decision",
}


def service_sections(folder: Path) -> dict[str, str]:
    """Return title and text of every table."""
    queue = folder / "queue-page.json"
    return {
        "Ten million findings": _findings(folder),
        "Review queue of a million findings": _queue(read(queue) if queue.exists() else None),
    }


def _findings(folder: Path) -> str:
    found = [read(file) for file in sorted(folder.glob("findings-scale-*.json"))]
    head = ["database", "findings", "loaded in, s", "first page, ms", "middle", "last"]
    head += ["all pages, s"]
    text = """\
`benchmarks.service.findings_scale`: pages of 100 findings over HTTP, median / 95 %; then a walk
over all of them, during which another run was published."""
    # Older results hold commit and machine in a member of their own.
    origins = [each.get("machine", each) for each in found]
    return section(text, head, [_findings_row(each) for each in found], origins)


def _findings_row(each: Result) -> list[str]:
    pages = [each["pages"][place] for place in ("first", "middle", "last")]
    return [
        _ENGINES[each["engine"]],
        f"{each['rows']:,}",
        f"{each['load_seconds']:.0f}",
        *(f"{page['p50_ms']:.0f} / {page['p95_ms']:.0f}" for page in pages),
        f"{each['walk']['seconds']:.0f}",
    ]


def _queue(each: Result | None) -> str:
    text = "`benchmarks.service.queue_page`: from the click or the key until the browser shows it."
    found = [] if each is None else [each]
    rows = [
        [title, f"{result[name]['median']:.0f}", f"{result[name]['max']:.0f}", result[name]["n"]]
        for result in found
        for name, title in _QUEUE.items()
    ]
    return section(text, ["what", "median, ms", "most, ms", "times"], rows, found)
