"""Images on their way in: a private folder on the data volume, one file each."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn
from uuid import uuid4

from fastapi.exceptions import RequestValidationError

from app.core.disk import require_space
from app.core.durable import sync_folder
from app.core.storage import DataFolder
from app.datasets.schemas import MissingFileError
from app.http.multipart import PartHead
from app.jobs.upload_form import clean_file_name
from app.predictions.schemas import TooManyImagesError

_PART = "file"


class IncomingImages:
    """Takes the parts of a form until they are published or discarded. No image is looked at."""

    def __init__(
        self,
        folder: DataFolder,
        *,
        max_files: int,
        min_free_bytes: int,
        cover: Callable[[int], None],
    ) -> None:
        """Create the folder.

        Before bytes are written, `cover` is told how many there will be, and may refuse them.

        Raises:
            NoSpaceError: The volume is full, up to the reserve.
        """
        self._volume = folder.incoming
        self._min_free_bytes = min_free_bytes
        self._max_files = max_files
        self._cover = cover
        require_space(self._volume, 0, min_free_bytes=min_free_bytes)
        # Its name is one that the sweeper removes, should this process die now.
        self._folder = self._volume / f"{uuid4().hex}.part"
        self._folder.mkdir(mode=0o700)
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self.num_bytes = 0
        self.names: list[str] = []
        self.sha256s: list[str] = []

    def begin(self, head: PartHead) -> None:
        """Get ready for an image.

        Raises:
            RequestValidationError: The part has another name.
            TooManyImagesError: It is one too many.
        """
        if head.name != _PART:
            _refuse(head.name)
        if len(self.names) == self._max_files:
            raise TooManyImagesError(f"A request may have {self._max_files} images.")
        self._file = (self._folder / str(len(self.names))).open("xb")
        self._digest = hashlib.sha256()
        self.names.append(clean_file_name(head.filename))

    def write(self, chunk: memoryview) -> None:
        """Take some of its bytes.

        Raises:
            NoSpaceError: The volume is full, up to the reserve.
        """
        self._cover(self.num_bytes + len(chunk))
        require_space(self._volume, len(chunk), min_free_bytes=self._min_free_bytes)
        if self._file is not None:
            self._file.write(chunk)
        self._digest.update(chunk)
        self.num_bytes += len(chunk)

    def end(self) -> None:
        """Know that it is whole, and have it on disk."""
        if self._file is not None:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
        self._file = None
        self.sha256s.append(self._digest.hexdigest())

    def require_images(self) -> None:
        """Go on only with at least one image.

        Raises:
            MissingFileError: There was none.
        """
        if not self.names:
            raise MissingFileError(f"The form has no part named `{_PART}`.")

    def publish(self, target: Path) -> None:
        """Give the folder its name, durably."""
        sync_folder(self._folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._folder.replace(target)
        sync_folder(target.parent)

    def discard(self) -> None:
        """Remove the folder, unless it was published."""
        if self._file is not None:
            self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _refuse(field: str) -> NoReturn:
    message = f"There is no such field: send each image as `{_PART}`."
    raise RequestValidationError(
        [{"type": "extra_forbidden", "loc": ("body", field), "msg": message}]
    )
