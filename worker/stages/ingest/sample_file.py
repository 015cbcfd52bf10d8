"""All samples of an upload: on disk at once, with some fifty bytes of each in memory."""

import hashlib
import heapq
import json
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from json.encoder import encode_basestring_ascii as as_json
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple, cast

import numpy as np

from worker.stages.ingest.agreement import AgreementMeter
from worker.stages.ingest.samples import Sample

_BUFFER_BYTES = 1024**2
_DIGEST_BYTES = 32
_LINES_AT_ONCE = 10_000
_CHUNK_BYTES = 16 * 1024


class Brief(NamedTuple):
    """Content, split and class of a sample, for comparing copies."""

    sha256: str
    split: str
    class_name: str


class ContentHash:
    """SHA-256 of the sorted lines of all samples. Sorted runs are kept on disk."""

    def __init__(self, folder: Path) -> None:
        """Use a temporary file below `folder`."""
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - until `close`
        self._lines: list[bytes] = []
        self._ends = [0]
        """End of each sorted run in the file."""

    def close(self) -> None:
        """Delete the temporary files."""
        self._file.close()

    def add(self, split: str, class_name: str, file: str, sha256: str) -> None:
        """Add one sample; of its path below the class folder only the last name counts."""
        texts = map(as_json, (split, class_name, file.rpartition("/")[2], sha256))
        self._lines.append(f"[{', '.join(texts)}]".encode())
        if len(self._lines) == _LINES_AT_ONCE:
            self._set_aside()

    def hexdigest(self) -> str:
        """Return the hash."""
        digest = hashlib.sha256()
        separator = b""
        for line in self._sorted():
            digest.update(separator + line)
            separator = b"\n"
        return digest.hexdigest()

    def _set_aside(self) -> None:
        self._lines.sort()
        self._file.write(b"".join(line + b"\n" for line in self._lines))
        self._ends.append(self._file.tell())
        self._lines.clear()

    def _sorted(self) -> Iterable[bytes]:
        self._file.flush()
        runs = [self._run(start, end) for start, end in pairwise(self._ends)]
        return cast("Iterable[bytes]", heapq.merge(sorted(self._lines), *runs))

    def _run(self, start: int, end: int) -> Iterator[bytes]:
        begun = b""
        while start < end:
            chunk = os.pread(self._file.fileno(), min(_CHUNK_BYTES, end - start), start)
            start += len(chunk)
            *lines, begun = (begun + chunk).split(b"\n")
            yield from lines


class SampleFile:
    """`samples.jsonl` while it is made: labels and duplicates are known only at the end."""

    def __init__(self, folder: Path) -> None:
        """Use temporary files below `folder`."""
        self._draft = TemporaryFile(dir=folder, buffering=_BUFFER_BYTES)  # noqa: SIM115 - until `close`
        self._end = 0
        self._starts = array("Q")
        """Start of each line in the draft."""
        self._digests = bytearray()
        self._numbers: dict[tuple[str, str], int] = {}
        self._places: list[tuple[str, str]] = []
        """The different pairs of split and class name, in the order of their numbers."""
        self._place_numbers = array("I")
        self._content = ContentHash(folder)
        self._agreement = AgreementMeter()

    def close(self) -> None:
        """Delete the temporary files."""
        self._draft.close()
        self._content.close()

    def __len__(self) -> int:
        """Return the number of samples so far."""
        return len(self._starts)

    def add(self, sample: Sample) -> None:
        """Add the next sample."""
        place = sample.place
        self._starts.append(self._end)
        self._end += self._draft.write(_line(sample))
        self._digests += bytes.fromhex(sample.sha256)
        self._place_numbers.append(self._number(place.split, place.class_name))
        self._content.add(place.split, place.class_name, place.file, sample.sha256)
        if place.annotation is not None:
            self._agreement.add(place.annotation)

    def counts(self) -> Counter[tuple[str, str]]:
        """Return the number of samples by split and class name."""
        counts = np.bincount(np.asarray(self._place_numbers), minlength=len(self._places))
        return Counter(dict(zip(self._places, counts.tolist(), strict=True)))

    def content_hash(self) -> str:
        """Return the content hash of the data set."""
        return self._content.hexdigest()

    def agreement(self) -> dict[str, Any] | None:
        """Return the agreement of the annotators; None without annotators."""
        return self._agreement.report()

    def exact_pairs(self) -> list[tuple[int, int]]:
        """Return pairs of positions of samples with the same content, the lower first."""
        digests = np.frombuffer(self._digests, np.uint64).reshape(-1, _DIGEST_BYTES // 8)
        order = np.lexsort(digests.T)
        low, high = order[:-1], order[1:]
        for column in digests.T:
            is_same = column[low] == column[high]
            low, high = low[is_same], high[is_same]
        return list(zip(low.tolist(), high.tolist(), strict=True))

    def brief(self, position: int) -> Brief:
        """Return content, split and class of one sample."""
        start = position * _DIGEST_BYTES
        digest = self._digests[start : start + _DIGEST_BYTES]
        return Brief(digest.hex(), *self._places[self._place_numbers[position]])

    def path(self, position: int) -> str:
        """Return the path of one sample, from disk."""
        self._draft.seek(self._starts[position])
        path: str = json.loads(self._draft.readline())["path"]
        return path

    def write(self, file: Path, index: Mapping[str, int], notes: Mapping[int, Any]) -> None:
        """Write one JSON object a line, with the label and the notes on that sample."""
        tails = [f', "label": {index[name]}'.encode() for _, name in self._places]
        self._draft.seek(0)
        with file.open("wb", buffering=_BUFFER_BYTES) as target:
            for position, line in enumerate(self._draft):
                note = notes.get(position)
                more = b"" if note is None else b", " + json.dumps(note)[1:-1].encode()
                target.write(line[:-2] + tails[self._place_numbers[position]] + more + b"}\n")

    def _number(self, split: str, class_name: str) -> int:
        number = self._numbers.setdefault((split, class_name), len(self._places))
        if number == len(self._places):
            self._places.append((split, class_name))
        return number


def _line(sample: Sample) -> bytes:
    row: dict[str, Any] = {
        "path": sample.path,
        "split": sample.place.split,
        "sha256": sample.sha256,
        "num_bytes": sample.num_bytes,
        "thumb_sha256": sample.thumb_sha256,
        "thumb_num_bytes": sample.thumb_num_bytes,
        "media_type": sample.media_type,
        "width": sample.width,
        "height": sample.height,
    }
    annotation = sample.place.annotation
    if annotation is not None:  # by class name, since not each is a class of the set
        row |= {
            "annotations": dict(annotation.votes),
            "agreement": annotation.agreement,
            "tied": annotation.tied,
        }
    return json.dumps(row).encode() + b"\n"
