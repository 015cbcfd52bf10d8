"""Options of a training as text: `name=value`, typed by the fields of `ml.TrainConfig`."""

import types
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import ml
from labelaudit.errors import InputError

_BOOLEANS = {"true": True, "false": False}
_OF_THE_GRID = frozenset({"method", "seed"})


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Return options by name, each value of its field's type.

    Raises:
        InputError: When a text is no option; the message names the known ones.
    """
    hints = get_type_hints(ml.TrainConfig)
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in hints or name in _OF_THE_GRID:
            known = ", ".join(name for name in hints if name not in _OF_THE_GRID)
            raise InputError(
                f"no option name=value: {text!r}; known names: {known}", code="invalid_option"
            )
        options[name] = _parse(name, value, hints[name])
    return options


def _parse(name: str, text: str, hint: Any) -> Any:
    for kind in _alternatives(hint):
        try:
            return _as_kind(text, kind)
        except ValueError:
            continue
    raise InputError(f"{name} cannot be {text!r}", code="invalid_option")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in {Union, types.UnionType}:
        return get_args(hint)
    return (hint,)


def _as_kind(text: str, kind: Any) -> Any:
    if kind is types.NoneType or kind is bool:
        words: dict[str, Any] = {"none": None} if kind is types.NoneType else _BOOLEANS
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]
    if get_origin(kind) is Literal or kind is str:
        return text  # the training says which words it knows
    return kind(text)
