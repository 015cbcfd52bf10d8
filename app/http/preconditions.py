"""Versions of rows as entity tags, and changes that must name the version they are of."""

import re
from typing import Annotated

from fastapi import Depends, Header

from app.http.errors import PreconditionRequiredError

_VERSION = re.compile(r'"?[0-9]{1,10}"?', re.ASCII)


def version_tag(version: int) -> str:
    """Write a row's version as its entity tag."""
    return f'"{version}"'


def _read_if_match(
    if_match: Annotated[
        str | None, Header(description="The `version` that the change is of; `*` for any.")
    ] = None,
) -> frozenset[int] | None:
    """Return the versions that are acceptable; none for any.

    A weak tag never matches (RFC 9110, 13.1.1). The quotes may be missing.
    """
    if if_match is None:
        raise PreconditionRequiredError(
            "Send the version that you saw as If-Match: a newer decision is then not overwritten."
        )
    tags = {tag.strip() for tag in if_match.split(",")}
    if tags == {"*"}:
        return None
    return frozenset(int(tag.strip('"')) for tag in tags if _VERSION.fullmatch(tag))


IfMatch = Annotated[frozenset[int] | None, Depends(_read_if_match)]
