"""Samples on disk while they are found: what is kept in memory instead of objects."""

import hashlib
import json
from contextlib import closing
from pathlib import Path

import pytest

from worker.stages.ingest import sample_file
from worker.stages.ingest.layout import Place
from worker.stages.ingest.sample_file import ContentHash, SampleFile
from worker.stages.ingest.samples import Sample

MIB = 1024**2


def sha256_of(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def sample(number: int, content: int | None = None) -> Sample:
    return Sample(
        path=f"cat/{number}.png",
        place=Place("train", "cat" if number % 2 else "dog", f"{number}.png"),
        sha256=sha256_of(number if content is None else content),
        num_bytes=1,
        thumb_sha256=None,
        thumb_num_bytes=None,
        media_type="image/png",
        width=8,
        height=8,
    )


class TestContentHash:
    @pytest.mark.parametrize("at_once", [1, 7, 100])
    def test_does_not_depend_on_how_much_is_sorted_at_once(
        self, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sample_file, "_LINES_AT_ONCE", at_once)
        monkeypatch.setattr(sample_file, "_CHUNK_BYTES", 50)
        names = [f'Kätze "{number}".png' for number in range(20)] * 2
        with closing(ContentHash(tmp_path)) as found:
            for number, name in enumerate(names):
                found.add("train", "cat\\", f"folder/{name}", sha256_of(number % 30))
            lines = sorted(
                json.dumps(["train", "cat\\", name, sha256_of(number % 30)]).encode()
                for number, name in enumerate(names)
            )
            assert found.hexdigest() == hashlib.sha256(b"\n".join(lines)).hexdigest()


class TestSampleFile:
    def test_knows_equal_files_and_paths(self, tmp_path: Path) -> None:
        with closing(SampleFile(tmp_path)) as samples:
            for number, content in enumerate([5, 1, 5, 2, 5, 2]):
                samples.add(sample(number, content))
            assert sorted(samples.exact_pairs()) == [(0, 2), (2, 4), (3, 5)]
            assert samples.path(3) == "cat/3.png"
            assert samples.brief(3) == (sha256_of(2), "train", "cat")
            assert samples.counts() == {("train", "cat"): 3, ("train", "dog"): 3}

    def test_writes_labels_and_notes(self, tmp_path: Path) -> None:
        with closing(SampleFile(tmp_path)) as samples:
            samples.add(sample(0))
            samples.add(sample(1))
            samples.write(tmp_path / "rows", {"cat": 0, "dog": 1}, {1: {"leaking": True}})
        first, second = map(json.loads, (tmp_path / "rows").read_text().splitlines())
        assert (first["label"], second["label"], second["leaking"]) == (1, 0, True)
        assert "leaking" not in first
