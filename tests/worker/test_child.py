"""What a child process does before its work."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_TELL = """
import os
from worker.child import read_spec

print(read_spec()["name"], os.nice(0))
"""


def test_a_child_reads_its_spec_and_gives_way_to_its_parent(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text('{"name": "audit"}')
    told = subprocess.run(
        [sys.executable, "-P", "-c", _TELL, str(spec)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert told == ["audit", str(min(os.nice(0) + 10, 19))]


_CHILDREN = (
    "ingest", "trainer", "recalibrator", "exporter", "scorer", "scores", "predictor", "predictions",
)  # fmt: skip
_ON_A_FULL_DISK = """
import os, pathlib, runpy, sys

read_text = pathlib.Path.read_text

def full(path, *args, **options):
    if path.name != "spec.json":
        return read_text(path, *args, **options)
    raise OSError(int(sys.argv[2]), os.strerror(int(sys.argv[2])))

pathlib.Path.read_text = full
runpy.run_module(sys.argv[3], run_name="__main__")
"""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=["full", "over quota"])
@pytest.mark.parametrize("name", _CHILDREN)
def test_every_child_tells_a_full_disk(name: str, number: int) -> None:
    """The first thing that it does with a file fails; where that is does not matter."""
    command = [sys.executable, "-c", _ON_A_FULL_DISK, "spec.json", str(number), f"worker.{name}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert json.loads(ended.stdout) == {
        "event": "failed", "code": "no_space", "detail": "the data volume is full",
    }  # fmt: skip
