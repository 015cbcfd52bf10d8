"""The JSON export of Label Studio: which image has which class."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from worker.stages.ingest.layout import looks_like_image

_ANSWERS = ("annotations", "completions")
"""The second name is that of old releases."""
ANNOTATOR_NOTE = "annotator: "
"""Begins the note by which our exports say whose an annotation is: users are only known by numbers
of the server, which refuses those of another."""
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
"""The server's prefix to the name of an uploaded file."""


def without_upload_prefix(name: str) -> str:
    """Return the name that a file had before it was uploaded to the server."""
    return _UPLOAD_PREFIX.sub("", name)


def is_export(value: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a list of objects is an export."""
    return all(isinstance(task.get("data"), dict) for task in value) and any(
        name in task for task in value for name in _ANSWERS
    )


def questions(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the blocks of choices, in the order in which they were answered."""
    answers = (answer for task in tasks for answer in _answers(task))
    results = (result for answer in answers for result in _list(answer.get("result")))
    names = (result.get("from_name") for result in results if result.get("type") == "choices")
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def tasks_as_records(
    tasks: Sequence[Mapping[str, Any]], asked: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield of each task the path, and by annotator the answer to each question.

    The label is that to the first one; a task that does not ask it may ask another.
    """
    for task in tasks:
        answered = {name: _labels(task, name) for name in asked}
        label = next(filter(None, answered.values()), None) or _labels(task)
        yield {"label": label, **answered, "path": _image(task["data"])}


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


def _answers(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [answer for name in _ANSWERS for answer in _list(task.get(name))]


def _labels(task: Mapping[str, Any], question: str | None = None) -> dict[str, str]:
    """Return what each annotator chose, first or to a question; who skipped the task did not."""
    said: dict[str, str] = {}
    for number, answer in enumerate(_answers(task), start=1):
        choice = None if answer.get("was_cancelled") else _choice(answer, question)
        if choice is not None:
            name = _annotator(answer) or f"annotation {number}"
            said[name if name not in said else f"{name} ({number})"] = choice
    return said


def _annotator(answer: Mapping[str, Any]) -> str | None:
    """Return who made an annotation: a note of our own exports, an e-mail address, or a number."""
    for result in _list(answer.get("result")):
        meta = result.get("meta")
        texts = meta.get("text") if isinstance(meta, dict) else None
        for text in texts if isinstance(texts, list) else ():
            if isinstance(text, str) and text.startswith(ANNOTATOR_NOTE):
                return text.removeprefix(ANNOTATOR_NOTE)
    user = answer.get("completed_by")
    if isinstance(user, dict):
        user = user.get("email") or user.get("id")
    return str(user) if isinstance(user, str | int) else None


def _choice(answer: Mapping[str, Any], question: str | None) -> str | None:
    for result in _list(answer.get("result")):
        if question not in {None, result.get("from_name")}:
            continue
        value = result.get("value")
        chosen = value.get("choices") if isinstance(value, dict) else None
        if isinstance(chosen, list) and len(chosen) == 1 and isinstance(chosen[0], str):
            return chosen[0]
    return None


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
