"""The real child process, as the supervisor starts it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.processes import end, start
from tests.worker.stages.ingest.formats import FORMATS, medmnist
from tests.worker.stages.ingest.making import LIMITS, make_zip, png, run, two_classes
from worker.processes.child import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED

ROOT = Path(__file__).parents[4]


class _Child:
    def __init__(self, archive: Path) -> None:
        self.out_dir = archive.with_name("out")
        spec = archive.with_name("spec.json")
        spec.write_text(
            json.dumps(
                {
                    "archive": str(archive),
                    "name": archive.name,
                    "out_dir": str(self.out_dir),
                    "blob_dir": str(archive.with_name("blobs")),
                    "image_size": None,
                    "limits": asdict(LIMITS),
                }
            )
        )
        self._process = start(
            [sys.executable, "-P", "-m", "worker.stages.ingest.child", str(spec)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        end(self._process)

    def first_line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        return line

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, [json.loads(line) for line in out.splitlines()], err


@pytest.mark.parametrize("kind", ["tar.gz", "tar.zst", "jsonl", "hugging face shards", "npz"])
def test_a_good_upload(archive: Path, kind: str) -> None:
    """Also behind the walls around the process, which libraries must get along with."""
    upload = FORMATS[kind](archive) if kind != "npz" else make_zip(archive, medmnist())
    with _Child(upload) as child:
        code, events, err = child.end()
    assert (code, err) == (EXIT_DONE, "")
    assert {event["event"] for event in events} == {"progress"}
    assert events[-1]["fraction"] == 1.0
    assert events[-1]["images_per_second"] > 0
    here = run(archive)
    for name in ("samples.jsonl", "rejected.jsonl", "images-16.u8"):
        assert (child.out_dir / name).read_bytes() == (here.out_dir / name).read_bytes()


def test_a_bad_upload_is_told_by_code_and_in_words(archive: Path) -> None:
    archive.write_bytes(b"just text")
    with _Child(archive) as child:
        code, events, err = child.end()
    assert (code, err) == (EXIT_FAILED, "")
    (event,) = events
    assert (event["event"], event["code"]) == ("failed", "unknown_archive")
    assert "zip" in event["detail"]


def test_sigterm_ends_it_at_the_next_member(archive: Path) -> None:
    image = png(1, width=1200, height=1200)
    names = [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(400)]
    with _Child(make_zip(archive, dict.fromkeys(names, image), compression=0)) as child:
        assert json.loads(child.first_line())["fraction"] < 0.9
        child.terminate()
        code, _, err = child.end()
    assert (code, err) == (EXIT_INTERRUPTED, "")
    assert not (child.out_dir / "summary.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_has_its_own_code(archive: Path) -> None:
    (archive.with_name("out")).mkdir()
    archive.with_name("out").joinpath("images-16.u8").symlink_to("/dev/full")
    with _Child(make_zip(archive, two_classes())) as child:
        code, events, _ = child.end()
    assert code == EXIT_FAILED
    assert events[-1]["code"] == "no_space"
