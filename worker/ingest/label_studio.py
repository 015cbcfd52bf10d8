"""The JSON export of Label Studio, as far as it says which image has which class."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from worker.ingest.layout import looks_like_image

_ANSWERS = ("annotations", "completions")
"""The second is what old releases wrote."""


def is_export(value: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a list of objects is one of tasks."""
    return all(isinstance(task.get("data"), dict) for task in value) and any(
        name in task for task in value for name in _ANSWERS
    )


def tasks_as_records(tasks: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield path and label of each task; the label is what most annotators chose."""
    for task in tasks:
        yield {"path": _image(task["data"]), "label": _label(task)}


def _image(data: Mapping[str, Any]) -> str | None:
    urls = [value for value in data.values() if isinstance(value, str)]
    paths = [_path_of(url) for url in urls]
    return next((path for path in paths if looks_like_image(path)), None)


def _path_of(url: str) -> str:
    """Return the path that a URL names; local files hide theirs in the query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    local = parse_qs(parts.query).get("d")
    return (local[0] if local else unquote(parts.path)).lstrip("/")


def _label(task: Mapping[str, Any]) -> str | None:
    answers = [answer for name in _ANSWERS for answer in _list(task.get(name))]
    choices = [_choice(answer) for answer in answers if not answer.get("was_cancelled")]
    counted = Counter(choice for choice in choices if choice is not None)
    return counted.most_common(1)[0][0] if counted else None


def _choice(answer: Mapping[str, Any]) -> str | None:
    for result in _list(answer.get("result")):
        value = result.get("value")
        chosen = value.get("choices") if isinstance(value, dict) else None
        if isinstance(chosen, list) and len(chosen) == 1 and isinstance(chosen[0], str):
            return chosen[0]
    return None


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
