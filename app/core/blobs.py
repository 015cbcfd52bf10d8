"""The store of blobs by their SHA-256: local files, or any S3-compatible service."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from uuid import UUID

from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder

SOMEBODY_WAITS = timedelta(seconds=4)


class StoreState(StrEnum):
    """Whether the store can be used, in words."""

    USABLE = "usable"
    SILENT = "it does not answer"
    NO_BUCKET = "the bucket does not exist"
    REFUSED = "it refuses the credentials"


class Blobs(Protocol):
    """Content-addressed bytes of one tenant. Putting the same bytes twice is harmless.

    Whatever is asked, the answer may be a `StoreUnavailableError`.
    """

    def inbox(self, folder: Path) -> Path:
        """Return where a child without secrets may put blobs; `folder` is the attempt's own."""

    def take_in(self, inbox: Path, on_batch: Callable[[], None]) -> None:
        """Store durably what lies there; `on_batch` is called every few files."""

    def bring(self, sha256s: Iterable[str], folder: Path, on_batch: Callable[[], None]) -> Path:
        """Return where a child without secrets can read these blobs, laid as in a `BlobStore`.

        What has to be copied for that is put into `folder`; `on_batch` is called every few files.

        Raises:
            FileNotFoundError: There is no such blob.
        """

    def adopt(self, source: Path) -> tuple[str, int]:
        """Move a finished file into the store, durably; return its SHA-256 and size."""

    def local_path(self, sha256: str) -> Path | None:
        """Return the file of a blob, where it has one of its own on this machine."""

    def num_bytes(self, sha256: str) -> int:
        """Return a blob's size.

        Raises:
            FileNotFoundError: There is none.
        """

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to, not including, `end`."""

    def signed_url(self, sha256: str, lifetime: timedelta) -> str | None:
        """Return a URL that anybody may read the blob from for a while, where the store can."""

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of every blob, in any order."""

    def remove(self, sha256s: Sequence[str]) -> None:
        """Forget blobs that no row points to; those that are gone already are no error."""

    def tidy(self) -> None:
        """Remove what a killed writer left half-written; nobody may be writing."""


def open_blobs(
    settings: Settings,
    tenant_id: UUID,
    *,
    patience: timedelta = SOMEBODY_WAITS,
) -> Blobs:
    """Return a tenant's store, as the settings say.

    A store that does not answer is asked again until `patience` is over.
    """
    if settings.s3_url is None:
        return BlobStore(DataFolder(settings).blobs(tenant_id))
    from app.core.s3 import S3Blobs  # noqa: PLC0415 - only who uses it needs the extra

    return S3Blobs(settings, str(tenant_id), patience=patience)


def look_at_store(settings: Settings) -> StoreState:
    """Ask the store whether it can be used; for long nobody waits."""
    if settings.s3_url is None:
        return StoreState.USABLE
    from app.core.s3 import look_at_bucket  # noqa: PLC0415 - only who uses it needs the extra

    return look_at_bucket(settings)
