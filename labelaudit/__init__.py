"""Label Audit as a user imports it: `Client`, and the command line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelaudit.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    """Load the client when it is asked for: the command line must start at once."""
    if name == "Client":
        from labelaudit.client import Client  # noqa: PLC0415 - see above

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
