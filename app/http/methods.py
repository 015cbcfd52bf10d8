"""Which methods a path takes: the framework names those of its first route only."""

from collections.abc import Mapping
from typing import Any

from starlette.routing import compile_path

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


def methods_of(document: Mapping[str, Any], path: str) -> str:
    """Return the value of `Allow` for a path, whatever its parameters are."""
    for template, methods in document["paths"].items():
        if compile_path(template)[0].fullmatch(path):
            return ", ".join(sorted(method.upper() for method in methods if method in METHODS))
    return ""
