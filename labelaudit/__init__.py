"""Label Audit as a user imports it: `Client`, `AsyncClient`, and the command line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelaudit.client import AsyncClient, Client

    __version__: str

__all__ = ["AsyncClient", "Client", "__version__"]


if not TYPE_CHECKING:  # a type checker must know what is not here

    def __getattr__(name: str) -> object:
        """Load a client when it is asked for: the command line must start at once."""
        if name in {"AsyncClient", "Client"}:
            from labelaudit import client  # noqa: PLC0415 - see above

            return getattr(client, name)
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 - see above

            return version("labelaudit")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what is public: consoles complete it."""
    return [*__all__]
