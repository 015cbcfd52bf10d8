from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from worker.files.limits import ReadMeter, SafePoint

CHUNK_BYTES = 1024**2


class Spool:
    """Files without a name for members that have to be read in any order; all of it is counted."""

    def __init__(
        self, stack: ExitStack, folder: Path, meter: ReadMeter, safe_point: SafePoint
    ) -> None:
        """Keep the files below `folder` until `stack` is closed."""
        self._stack = stack
        self._folder = folder
        self._meter = meter
        self.safe_point = safe_point

    def fill(self, read: Callable[[int], bytes]) -> BinaryIO:
        """Return a file with all that `read` gives.

        Raises:
            UploadError: It was too much.
        """
        file = cast("BinaryIO", TemporaryFile(dir=self._folder))  # noqa: SIM115 - the stack closes it
        self._stack.callback(file.close)
        while chunk := read(CHUNK_BYTES):
            self.safe_point()
            self._meter.add(len(chunk))
            file.write(chunk)
        file.seek(0)
        return file
