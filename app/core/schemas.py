"""Bases of what goes in and out."""

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict

T = TypeVar("T")


def _readable(text: str) -> str:
    if not all(char.isprintable() or char in "\n\t" for char in text):
        raise ValueError("It may hold no control characters.")
    return text.strip()


Flag = Annotated[bool, Strict()]
ReadableText = Annotated[str, AfterValidator(_readable)]
"""What people write: the databases take no NUL, and JSON no half of a character."""


class ReadModel(BaseModel):
    """What a caller reads: every field is always there, so none has a default."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class InputModel(BaseModel):
    """What a caller sends: a field we do not know is a mistake, not noise.

    Numbers and flags are declared strict: `true` is no number to a caller, nor is a text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(ReadModel, Generic[T]):
    """A part of a list; `next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None
