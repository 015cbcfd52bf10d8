"""SHA-256 of files that grow over several requests."""

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from hashlib import _Hash

_MAX_KEPT = 1000


class GrowingDigests:
    """Remembers how far each file was hashed, so that nobody reads it a second time.

    A process that starts anew has forgotten: then the whole file is read once more at its end.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._known: OrderedDict[UUID, tuple[int, _Hash]] = OrderedDict()

    def take(self, upload_id: UUID, offset: int) -> "_Hash | None":
        """Return the digest of the first `offset` bytes, if it is known."""
        if offset == 0:
            return hashlib.sha256()
        known_offset, digest = self._known.pop(upload_id, (None, None))
        return digest if known_offset == offset else None

    def keep(self, upload_id: UUID, offset: int, digest: "_Hash | None") -> None:
        """Remember the digest of the first `offset` bytes."""
        if digest is None:
            return
        self._known[upload_id] = (offset, digest)
        while len(self._known) > _MAX_KEPT:
            self._known.popitem(last=False)
