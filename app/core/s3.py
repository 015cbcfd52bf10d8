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
from obstore.exceptions import BaseError, UnauthenticatedError
from obstore.store import S3Store

from app.core.blobs import StoreState
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
_LOOK_SECONDS = timedelta(seconds=2)
_RETRY_AFTER = "5"
_STORE_ERRORS = (BaseError, PermissionError, ConnectionError, TimeoutError)
_NO_BUCKET = "NoSuchBucket"
"""S3's own word; the library has no error of its own for it."""


class S3Blobs:
    """The blobs of one tenant below `PREFIX/TENANT/`; credentials come as `AWS_…` variables."""

    def __init__(self, settings: Settings, tenant: str, *, patience: timedelta) -> None:
        """Connect when something is asked for; until `patience` is over, ask again.

        Raises:
            ValueError: The settings name no bucket.
        """
        self._store = _open(settings, tenant, patience, timeout=max(patience, _SHORTEST_TIMEOUT))

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
        with self._away_told():
            obstore.put(self._store, _key(sha256), source)
        source.unlink()
        return sha256, num_bytes

    def local_path(self, _sha256: str) -> Path | None:
        """Say that there is no file."""
        return None

    def num_bytes(self, sha256: str) -> int:
        """Ask for the size."""
        with self._away_told():
            return obstore.head(self._store, _key(sha256))["size"]

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Stream a range."""
        if start == end:
            return
        with self._away_told():
            found = obstore.get(self._store, _key(sha256), options={"range": (start, end)})
            for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    def names(self) -> Iterator[str]:
        """List the objects, a thousand a request."""
        with self._away_told():
            for page in obstore.list(self._store, chunk_size=1000):
                yield from (item["path"].rpartition("/")[2] for item in page)

    def signed_url(self, sha256: str, lifetime: timedelta) -> str | None:
        """Sign a URL; nothing is asked of the service."""
        return obstore.sign(self._store, "GET", _key(sha256), lifetime)

    def remove(self, sha256s: Sequence[str]) -> None:
        """Delete objects, a thousand a request: a write transaction waits for it."""
        with self._away_told():
            obstore.delete(self._store, [_key(sha256) for sha256 in sha256s])

    def tidy(self) -> None:
        """Do nothing: an object is there as a whole or not at all."""

    def _fetch(self, target: BlobStore, sha256: str) -> None:
        path = target.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file, self._away_told():
            for chunk in obstore.get(self._store, _key(sha256)).stream(_CHUNK_BYTES):
                file.write(chunk)

    def _put(self, sha256: str, content: Path | bytes) -> None:
        with self._away_told():
            obstore.put(self._store, _key(sha256), content)

    @contextmanager
    def _away_told(self) -> Iterator[None]:
        """Turn what the library says of a store that cannot be used into our error.

        Raises:
            FileNotFoundError: The store can be used, and there is no such object.
            StoreUnavailableError: It does not answer, does not let us in, or has no bucket.
        """
        try:
            yield
        except FileNotFoundError as error:
            state = _state_of(self._store)  # a bucket that is missing looks as an object that is
            if state is StoreState.USABLE:
                raise
            raise _unavailable(error, state) from error
        except _STORE_ERRORS as error:
            raise _unavailable(error, _state_by(error)) from error


def look_at_bucket(settings: Settings) -> StoreState:
    """Ask for one object of the bucket, whichever that is."""
    return _state_of(_open(settings, "", _LOOK_SECONDS, timeout=_LOOK_SECONDS))


def _open(settings: Settings, folder: str, patience: timedelta, *, timeout: timedelta) -> S3Store:
    if settings.s3_url is None:
        raise ValueError("LABELAUDIT_STORE_URL names no bucket")
    endpoint = settings.s3_endpoint
    return S3Store.from_url(
        f"{settings.s3_url.rstrip('/')}/{folder}",
        config={"endpoint": endpoint} if endpoint else {},
        client_options={
            "allow_http": (endpoint or "").startswith("http://"),
            "connect_timeout": _CONNECT_SECONDS,
            "timeout": timeout,
        },
        retry_config={
            "max_retries": _MAX_RETRIES,
            "retry_timeout": patience,
            "backoff": _BACKOFF,
        },
    )


def _state_of(store: S3Store) -> StoreState:
    try:
        next(iter(obstore.list(store, chunk_size=1)), None)
    except _STORE_ERRORS as error:
        return _state_by(error)
    return StoreState.USABLE


def _state_by(error: Exception) -> StoreState:
    if _NO_BUCKET in str(error):
        return StoreState.NO_BUCKET
    refused = isinstance(error, (PermissionError, UnauthenticatedError))
    return StoreState.REFUSED if refused else StoreState.SILENT


def _unavailable(error: Exception, state: StoreState) -> StoreUnavailableError:
    _log.warning("store_unavailable", state=state, error=str(error))
    return StoreUnavailableError(
        f"The store of images and results cannot be used: {state}. Try again soon.",
        headers={"Retry-After": _RETRY_AFTER},
    )


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
