"""How the clients read and write files: with progress, and beside an event loop."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from anyio import to_thread
from typing_extensions import TypeVarTuple, Unpack, override

A = TypeVar("A")
Arguments = TypeVarTuple("Arguments")


async def in_thread(work: Callable[[Unpack[Arguments]], A], *arguments: *Arguments) -> A:
    """Do blocking work for `AsyncClient`, whose event loop must go on."""
    return await to_thread.run_sync(work, *arguments)


def in_place(work: Callable[[Unpack[Arguments]], A], *arguments: *Arguments) -> A:
    """Do blocking work for `Client`."""
    return work(*arguments)


class ReportingFile(io.FileIO):
    """A file that reports how much of it was read."""

    def __init__(self, path: Path, on_read: Callable[[int], None] | None) -> None:
        """Open for reading; `on_read` gets the number of bytes read so far."""
        super().__init__(path)
        self._on_read = on_read

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        """Read on."""
        data = super().read(-1 if size is None else size)
        if self._on_read is not None:
            self._on_read(self.tell())
        return data
