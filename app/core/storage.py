"""Where files lie below the data folder, and the store of blobs by their SHA-256."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from app.core.durable import publish_file
from app.core.packs import Packs

if TYPE_CHECKING:  # a child that stores blobs has no settings, and should start fast
    from app.core.settings import Settings

_CHUNK_BYTES = 1024**2


class DataFolder:
    """Names of the places inside the data folder."""

    def __init__(self, settings: "Settings") -> None:
        """Use the folders that the settings name; they appear when something is put in them."""
        self.root = settings.data_dir.resolve()
        self._store = settings.store_folder

    def marks(self, mark: str) -> list[Path]:
        """Where a file of this name lies in each folder that all processes share."""
        folders = [self.root]
        if not self._store.is_relative_to(self.root):
            folders.append(self._store)
        return [folder / "marks" / mark for folder in folders]

    @property
    def incoming(self) -> Path:
        """Uploads under way; what is left here after a crash may be removed."""
        return self.root / "incoming"

    def part(self, upload_id: UUID) -> Path:
        """The bytes of a resumable upload, until a data set takes them over."""
        return self.parts / f"{upload_id}.part"

    @property
    def parts(self) -> Path:
        """The bytes of all resumable uploads under way."""
        return self.incoming / "resumable"

    def upload(self, dataset_id: UUID) -> Path:
        """The archive as it was uploaded, kept until its samples are stored."""
        return self.root / "uploads" / str(dataset_id)

    def image_cache(self, dataset_id: UUID, image_size: int) -> Path:
        """Decoded images, uint8, shape (num_samples, size, size, 3), rows by position."""
        return self.root / "cache" / str(dataset_id) / f"images-{image_size}.u8"

    def dataset_cache(self, dataset_id: UUID) -> Path:
        """All caches of one data set."""
        return self.root / "cache" / str(dataset_id)

    def job(self, job_id: UUID) -> Path:
        """Attempt folders and checkpoints of one job."""
        return self.root / "jobs" / str(job_id)

    def attempt(self, job_id: UUID, attempt: int, stage: str) -> Path:
        """The folder that one attempt at one stage writes into, and nobody else."""
        return self.job(job_id) / f"attempt-{attempt}-{stage}"

    def inputs(self, job_id: UUID) -> Path:
        """Images that a job shows to a model, each called by its place; they go with the job."""
        return self.job(job_id) / "inputs"

    def blobs(self, tenant_id: UUID) -> Path:
        """Root of one tenant's blobs."""
        return self._store / str(tenant_id)


class BlobStore:
    """Content-addressed files of one tenant. Putting the same bytes twice is harmless.

    A blob is a file of its own, or stands with many others in a pack.
    """

    def __init__(self, root: Path) -> None:
        """Keep blobs below `root`."""
        self.root = root
        self.packs = Packs(root / "packs")

    def path(self, sha256: str) -> Path:
        """Return where the blob of this name lies, or would lie, as a file of its own."""
        return self.root / sha256[:2] / sha256

    def put(self, data: bytes) -> str:
        """Store bytes without waiting for the disk; call `sync` before a row points to them.

        Returns:
            The blob's SHA-256, hexadecimal.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        if not target.exists():
            temporary = target.with_name(f".{sha256}.{os.getpid()}.tmp")
            try:
                temporary.write_bytes(data)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(data)
            temporary.replace(target)
        return sha256

    def adopt(self, source: Path) -> tuple[str, int]:
        """Move a finished file into the store, durably.

        Returns:
            Its SHA-256 and its size in bytes.
        """
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        num_bytes = source.stat().st_size
        publish_file(source, self.path(sha256))
        return sha256, num_bytes

    def inbox(self, _folder: Path) -> Path:
        """Let a child write into the store itself: that saves a copy."""
        return self.root

    def bring(self, _sha256s: Iterable[str], _folder: Path, _on_batch: Callable[[], None]) -> Path:
        """Let a child read the store itself."""
        return self.root

    def take_in(self, _inbox: Path, _on_batch: Callable[[], None]) -> None:
        """Do nothing: all is here and was synced by the child."""

    def local_path(self, sha256: str) -> Path | None:
        """Return the blob's file, if it has one of its own."""
        path = self.path(sha256)
        return path if path.exists() else None

    def num_bytes(self, sha256: str) -> int:
        """Return the size."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            found = self.packs.find(sha256)
            if found is None:
                raise
            return found[1].num_bytes

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Yield a part of the blob."""
        path = self.local_path(sha256)
        if path is None:
            yield self.load(sha256)[start:end]
            return
        with path.open("rb") as file:
            file.seek(start)
            while start < end and (chunk := file.read(min(_CHUNK_BYTES, end - start))):
                start += len(chunk)
                yield chunk

    def load(self, sha256: str) -> bytes:
        """Return a whole blob that is known to be small enough for that.

        Raises:
            FileNotFoundError: There is none.
        """
        found = self.packs.find(sha256)
        if found is None:
            return self.path(sha256).read_bytes()
        pack, extent = found
        return pack.read(extent.start, extent.num_bytes)

    def names(self) -> Iterator[str]:
        """Walk the folder."""
        yield from (path.name for path in self.root.glob("??/[!.]*"))
        yield from self.packs.names()

    def signed_url(self, _sha256: str, _lifetime: timedelta) -> str | None:
        """Say that files have no URL of their own."""
        return None

    def remove(self, sha256s: Sequence[str]) -> None:
        """Forget blobs that no row points to."""
        for sha256 in sha256s:
            self.path(sha256).unlink(missing_ok=True)
        self.packs.remove(sha256s)

    def tidy(self) -> None:
        """Remove what a killed writer left half-written."""
        for path in self.root.glob("??/.*.tmp"):
            path.unlink(missing_ok=True)
        self.packs.tidy()

    @staticmethod
    def sync() -> None:
        """Wait until all that was put is on disk: one sync for a whole batch."""
        os.sync()
