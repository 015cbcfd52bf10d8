"""Large uploads, decoded by several processes: nothing may differ but the time."""

import os
import select
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.stages.ingest.making import LIMITS, Result, encoded, make_zip, pattern, png, run
from worker.files.errors import FailureCode, UploadError
from worker.files.members import Member
from worker.processes.errors import InterruptedWorkError
from worker.stages.ingest import decoding as decoding_module
from worker.stages.ingest.decoding import Decoder, UnpackedFile, decoding, num_decoders
from worker.stages.ingest.layout import Candidate, Place

NUM_DECODERS = 2
MANY_BYTES = 1024**3


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a few small files, whatever the machine."""
    monkeypatch.setattr(decoding_module, "num_decoders", lambda _: NUM_DECODERS)
    monkeypatch.setattr(decoding_module, "_BATCH_FILES", 3)
    monkeypatch.setattr(decoding_module, "_MAX_PIXELS", 300 * 300)


@pytest.fixture
def mixed(archive: Path) -> Path:
    """Good and broken images, some with a thumbnail, one too large for a decoder."""
    files = {f"cat/{number:02}.png": png(number) for number in range(10)}
    files |= {
        "dog/01.jpg": encoded(pattern(20, width=280, height=20), "JPEG"),
        "dog/02.jpg": encoded(pattern(21, width=400, height=300), "JPEG"),
        "dog/03.jpg": encoded(pattern(22), "JPEG")[:-9],
        "dog/04.png": b"no image",
        "dog/05.gif": encoded(pattern(23), "GIF"),
        "dog/06.png": png(24),
    }
    make_zip(archive, files, compression=zipfile.ZIP_STORED)
    damaged = archive.read_bytes().replace(files["cat/03.png"], files["cat/03.png"][::-1], 1)
    archive.write_bytes(damaged)  # its checksum is that of the right bytes
    return archive


def content(result: Result) -> list[bytes]:
    names = ("samples.jsonl", "rejected.jsonl")
    return [result.cache, *((result.out_dir / name).read_bytes() for name in names)]


def test_the_outcome_is_that_of_one_process(mixed: Path, request: pytest.FixtureRequest) -> None:
    alone = run(mixed, image_size=16)
    before = content(alone)
    request.getfixturevalue("decoders")
    together = run(mixed, image_size=16)
    assert content(together) == before
    assert together.codes == {
        "cat/03.png": "unreadable_member",
        "dog/03.jpg": "truncated_image",
        "dog/04.png": "not_an_image",
        "dog/05.gif": "unsupported_format",
    }
    assert sum(row["thumb_sha256"] is not None for row in together.samples) == 2


def test_few_bytes_are_not_worth_a_process() -> None:
    assert num_decoders(1000) == 0


def test_one_core_gets_no_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert num_decoders(MANY_BYTES) == 0
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert num_decoders(MANY_BYTES) == 3


def files(number: int) -> Iterator[UnpackedFile]:
    place = Place("train", "cat", "1.png")
    for key in range(number):
        name = f"cat/{key}.png"
        yield UnpackedFile(Candidate(Member(name, key, 0), name, place), png(key))


@pytest.mark.usefixtures("decoders")
class TestDecoders:
    def decode(self, number: int, *, cpu_seconds: float = 1e9, stop: bool = False) -> list[str]:
        def safe_point() -> None:
            if stop:
                raise InterruptedWorkError

        decoder = Decoder(image_size=8, max_pixels=LIMITS.max_image_pixels)
        with decoding(
            decoder, num_bytes=MANY_BYTES, cpu_seconds=cpu_seconds, safe_point=safe_point
        ) as decode:
            return [file.candidate.path for file in decode(files(number))]

    @pytest.mark.parametrize("number", [0, 1, 20])
    def test_answer_in_order(self, number: int) -> None:
        assert self.decode(number) == [f"cat/{key}.png" for key in range(number)]

    def test_have_no_more_time_than_one(self) -> None:
        with pytest.raises(UploadError) as caught:
            self.decode(20, cpu_seconds=0.0)
        assert caught.value.code is FailureCode.TOO_SLOW

    def test_are_not_waited_for_when_the_work_has_to_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(select, "select", lambda *_: ([], [], []))
        with pytest.raises(InterruptedWorkError):
            self.decode(20, stop=True)

    def test_end_with_the_block(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = []
        real = subprocess.Popen

        def popen(*args: object, **options: object) -> object:
            started.append(real(*args, **options))  # type: ignore[call-overload]  # as it came
            return started[-1]

        monkeypatch.setattr(subprocess, "Popen", popen)
        with pytest.raises(UploadError):
            self.decode(20, cpu_seconds=0.0)
        assert [process.returncode for process in started] == [-9] * NUM_DECODERS

    def test_that_crash_end_the_ingest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/bin/true")
        with pytest.raises((RuntimeError, BrokenPipeError)):
            self.decode(20)
