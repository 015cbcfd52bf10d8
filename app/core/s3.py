"""Blobs in an S3-compatible service, by way of obstore (the Rust crate `object_store`)."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.core.bulk import batches
from app.core.errors import StoreUnavailableError
from app.core.settings import Settings
from app.core.storage import BlobStore

if TYPE_CHECKING:  # the module has types only
    from obstore.store import BackoffConfig

_log = structlog.get_logger(__name__)

_NUM_THREADS = 16
"""An upload waits for the line, not for the processor."""
_BATCH_FILES = 256
_CHUNK_BYTES = 1024**2
_CONNECT_SECONDS = timedelta(seconds=3)
_SHORTEST_TIMEOUT = timedelta(seconds=30)
_MAX_RETRIES = 1_000
"""The patience ends first."""
_BACKOFF: "BackoffConfig" = {
    "init_backoff": timedelta(milliseconds=200),
    "max_backoff": timedelta(seconds=10),
    "base": 2,
}
_RETRY_AFTER = "5"


class S3Blobs:
    """The blobs of one tenant below `PREFIX/TENANT/`; credentials come as `AWS_…` variables."""

    def __init__(self, settings: Settings, tenant: str, *, patience: timedelta) -> None:
        """Connect when something is asked for; until `patience` is over, ask again.

        Raises:
            ValueError: The settings name no bucket.
        """
        if settings.s3_url is None:
            raise ValueError("LABELAUDIT_STORE_URL names no bucket")
        endpoint = settings.s3_endpoint
        self._store = S3Store.from_url(
            f"{settings.s3_url.rstrip('/')}/{tenant}",
            config={"endpoint": endpoint} if endpoint else {},
            client_options={
                "allow_http": (endpoint or "").startswith("http://"),
                "connect_timeout": _CONNECT_SECONDS,
                "timeout": max(patience, _SHORTEST_TIMEOUT),
            },
            retry_config={
                "max_retries": _MAX_RETRIES,
                "retry_timeout": patience,
                "backoff": _BACKOFF,
            },
        )

    def inbox(self, folder: Path) -> Path:
        """Let the child write beside its other results."""
        return folder / "blobs"

    def take_in(self, inbox: Path, on_batch: Callable[[], None]) -> None:
        """Send all files, several at once; what is there already is sent again, to be sure."""
        brought = BlobStore(inbox)
        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            for batch in batches(brought.names(), _BATCH_FILES):
                contents = [brought.local_path(name) or brought.load(name) for name in batch]
                list(pool.map(self._put, batch, contents))
                on_batch()

    def bring(self, sha256s: Iterable[str], folder: Path, on_batch: Callable[[], None]) -> Path:
        """Fetch the blobs into the attempt's folder, several at once."""
        target = BlobStore(folder / "blobs")
        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            for batch in batches(sha256s, _BATCH_FILES):
                list(pool.map(partial(self._fetch, target), batch))
                on_batch()
        return target.root

    def adopt(self, source: Path) -> tuple[str, int]:
        """Send a file and remove it here."""
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        num_bytes = source.stat().st_size
        with _away_told():
            obstore.put(self._store, _key(sha256), source)
        source.unlink()
        return sha256, num_bytes

    def local_path(self, _sha256: str) -> Path | None:
        """Say that there is no file."""
        return None

    def num_bytes(self, sha256: str) -> int:
        """Ask for the size."""
        with _away_told():
            return obstore.head(self._store, _key(sha256))["size"]

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Stream a range."""
        if start == end:
            return
        with _away_told():
            found = obstore.get(self._store, _key(sha256), options={"range": (start, end)})
            for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    def names(self) -> Iterator[str]:
        """List the objects, a thousand a request."""
        with _away_told():
            for page in obstore.list(self._store, chunk_size=1000):
                yield from (item["path"].rpartition("/")[2] for item in page)

    def signed_url(self, sha256: str, lifetime: timedelta) -> str | None:
        """Sign a URL; nothing is asked of the service."""
        return obstore.sign(self._store, "GET", _key(sha256), lifetime)

    def remove(self, sha256s: Sequence[str]) -> None:
        """Delete objects, a thousand a request: a write transaction waits for it."""
        with _away_told():
            obstore.delete(self._store, [_key(sha256) for sha256 in sha256s])

    def tidy(self) -> None:
        """Do nothing: an object is there as a whole or not at all."""

    def _fetch(self, target: BlobStore, sha256: str) -> None:
        path = target.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file, _away_told():
            for chunk in obstore.get(self._store, _key(sha256)).stream(_CHUNK_BYTES):
                file.write(chunk)

    def _put(self, sha256: str, content: Path | bytes) -> None:
        with _away_told():
            obstore.put(self._store, _key(sha256), content)


@contextmanager
def _away_told() -> Iterator[None]:
    """Turn what the library says of a store that cannot be used into our error.

    Raises:
        StoreUnavailableError: It does not answer, or does not let us in.
    """
    try:
        yield
    except (BaseError, PermissionError, ConnectionError, TimeoutError) as error:
        _log.warning("store_unavailable", error=str(error))
        raise StoreUnavailableError(
            "The store of images and results does not answer. Try again soon.",
            headers={"Retry-After": _RETRY_AFTER},
        ) from error


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
