"""The routes of an application."""

from collections.abc import Iterator
from typing import Any


def all_routes(found: Any) -> Iterator[Any]:
    """Yield the routes of an application or router, also those of the routers in it."""
    for route in found.routes:
        inner = getattr(route, "original_router", None)
        yield from [route] if inner is None else all_routes(inner)
