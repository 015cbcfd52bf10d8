"""Unpacking one member of a zip."""

import zipfile
import zlib
from typing import BinaryIO

from worker.ingest.zip_directory import Entry

_PACKED_BYTES_AT_ONCE = 256 * 1024


class MemberReader:
    """Gives the content piece by piece: as much as the header says, and only if it is right."""

    def __init__(self, file: BinaryIO, entry: Entry, start: int) -> None:
        """Read from `start`, where the packed data are, by either of the two usual methods."""
        self._file = file
        self._at, self._end = start, start + entry.compress_size
        self._left = entry.file_size
        self._crc, self._right_crc = 0, entry.CRC
        is_packed = entry.compress_type == zipfile.ZIP_DEFLATED
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if is_packed else None

    def read(self, num_bytes: int) -> bytes:
        """Return as many bytes; fewer only at the end.

        Raises:
            zlib.error: They are damaged.
            EOFError: Some are missing.
            zipfile.BadZipFile: They are not those that were packed.
        """
        pieces = []
        wanted = min(num_bytes, self._left)
        while wanted:
            piece = self._stored(wanted) if self._inflate is None else self._unpacked(wanted)
            self._crc = zlib.crc32(piece, self._crc)
            self._left -= len(piece)
            wanted -= len(piece)
            pieces.append(piece)
        if not self._left and self._crc != self._right_crc:
            raise zipfile.BadZipFile("the checksum is another")
        return b"".join(pieces)

    def _unpacked(self, max_bytes: int) -> bytes:
        """Return some bytes, or none when there will be more."""
        inflate = self._inflate
        if inflate is None or inflate.eof:
            raise EOFError("the end is missing")
        packed = inflate.unconsumed_tail
        if packed or self._at == self._end:
            piece = inflate.decompress(packed, max_bytes)
            if not (piece or packed):
                raise EOFError("the end is missing")
            return piece
        return inflate.decompress(self._stored(_PACKED_BYTES_AT_ONCE), max_bytes)

    def _stored(self, max_bytes: int) -> bytes:
        """Return some bytes as they are in the file."""
        self._file.seek(self._at)
        data = self._file.read(min(max_bytes, self._end - self._at))
        if not data:
            raise EOFError("the end is missing")
        self._at += len(data)
        return data
