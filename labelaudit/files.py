"""Files that appear under their name only when they are whole, or tell how far they are read."""

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; it takes the name when the block succeeds."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: Path, value: Any) -> None:
    """Write a value such that people can read it too."""
    with replacing(target) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")


class ReportingFile(io.FileIO):
    """A file that tells how much of it was read."""

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
