"""Label Audit as a user imports it: `Client`, `AsyncClient`, and the command line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelaudit.async_client import AsyncClient
    from labelaudit.client import Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    """Load a client when it is asked for: the command line must start at once."""
    if name == "Client":
        from labelaudit.client import Client  # noqa: PLC0415 - see above

        return Client
    if name == "AsyncClient":
        from labelaudit.async_client import AsyncClient  # noqa: PLC0415 - see above

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
