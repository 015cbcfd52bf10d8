"""How the images of an upload get into the store: small ones in packs, large ones as files."""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.core.packs import MAX_PACKED_BYTES, Pack, PackWriter
from app.core.storage import BlobStore

_PREFIX_BYTES = 8


class BlobWriter:
    """Puts what the store does not have yet; a row may point to it after `finish`."""

    def __init__(self, store: BlobStore) -> None:
        """Look at what the packs of the store hold, eight bytes a blob."""
        self._store = store
        self._folders = {folder.name for folder in store.root.glob("??")}
        """Of blobs with a file of their own; asking for each costs as much as its hash."""
        self._known = _sorted_prefixes(store.packs.paths())
        self._pack: PackWriter | None = None
        self._in_pack: set[bytes] = set()
        """What the open pack holds."""
        self._has_files = False

    def put(self, data: bytes) -> str:
        """Store bytes; return their SHA-256, hexadecimal."""
        digest = hashlib.sha256(data).digest()
        sha256 = digest.hex()
        if len(data) > MAX_PACKED_BYTES:
            self._store.put(data)
            self._has_files = True
        elif not self._is_there(digest, sha256):
            self._append(digest, data)
        return sha256

    def finish(self) -> None:
        """Return when all that was put is on disk."""
        self._publish()
        if self._has_files:
            self._store.sync()

    def discard(self) -> None:
        """Remove what was not finished."""
        if self._pack is not None:
            self._pack.discard()

    def _is_there(self, digest: bytes, sha256: str) -> bool:
        return (
            digest in self._in_pack
            or (sha256[:2] in self._folders and self._store.path(sha256).exists())
            or (self._may_be_packed(digest) and self._store.packs.find(sha256) is not None)
        )

    def _may_be_packed(self, digest: bytes) -> bool:
        if not len(self._known):
            return False
        prefix = np.frombuffer(digest, np.uint64, 1)
        at = int(np.searchsorted(self._known, prefix)[0])
        return at < len(self._known) and bool(self._known[at] == prefix[0])

    def _append(self, digest: bytes, data: bytes) -> None:
        if self._pack is None:
            self._pack = PackWriter(self._store.packs.folder)
        self._pack.add(digest, data)
        self._in_pack.add(digest)
        if self._pack.is_full:
            self._publish()

    def _publish(self) -> None:
        """Finish the open pack, and know its blobs as those of the others."""
        if self._pack is None:
            return
        path = self._pack.publish()
        self._known = np.union1d(self._known, _sorted_prefixes([path]))
        self._pack = None
        self._in_pack.clear()


@contextmanager
def writing_blobs(store: BlobStore) -> Iterator[BlobWriter]:
    """Give a writer; what is not finished at the end leaves nothing."""
    writer = BlobWriter(store)
    try:
        yield writer
    finally:
        writer.discard()


def _sorted_prefixes(packs: list[Path]) -> npt.NDArray[np.uint64]:
    """Return the first bytes of every name: whether a blob may be there, in little memory."""
    prefixes = [np.empty(0, np.uint64)]
    for path in packs:
        with suppress(FileNotFoundError), closing(Pack(path)) as pack:
            heads = b"".join(digest[:_PREFIX_BYTES] for digest in pack.digests())
            prefixes.append(np.frombuffer(heads, np.uint64))
    return np.unique(np.concatenate(prefixes))
