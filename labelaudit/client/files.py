"""Files on this machine: written whole or not at all, read with progress, read beside a loop."""

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

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


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; it takes the name when the block succeeds."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync_to_disk(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def sync_to_disk(path: Path) -> None:
    """Return once the file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_json(target: Path, value: Any) -> None:
    """Write a value as JSON that people can read."""
    with replacing(target) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")


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
