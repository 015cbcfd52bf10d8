"""What a child process does before its work."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.processes.child import EXIT_INTERRUPTED

_TELL = """
import os
from worker.processes.child import run

run(lambda spec, stop: print(spec["name"], os.nice(0)))
"""


def test_a_child_reads_its_spec_and_gives_way_to_its_parent(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text('{"name": "audit"}')
    told = subprocess.run(
        [sys.executable, "-P", "-c", _TELL, str(spec)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert told == ["audit", str(min(os.nice(0) + 10, 19))]


_CHILDREN = (
    "ingest.child", "train.child", "recalibrate.child", "export.child", "score.child",
    "score.reader", "predict.child", "predict.reader",
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
    command = [
        sys.executable,
        "-c",
        _ON_A_FULL_DISK,
        "spec.json",
        str(number),
        f"worker.stages.{name}",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert json.loads(ended.stdout) == {
        "event": "failed", "code": "no_space", "detail": "the data volume is full",
    }  # fmt: skip


_WORK = """
import sys
from worker.processes.child import run
from worker.processes.errors import ChildFailedError


def main(spec, stop):
    raise {"failed": ChildFailedError("no_room", "why"), "memory": MemoryError("m")}[spec["error"]]


run(main)
"""


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [("failed", "no_room", "why"), ("memory", "oom", "not enough memory: m")],
)
def test_a_child_reports_why_it_failed(tmp_path: Path, error: str, code: str, detail: str) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"error": error}))
    command = [sys.executable, "-P", "-c", _WORK, str(spec)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert json.loads(ended.stdout) == {"event": "failed", "code": code, "detail": detail}


_STOPPED = """
import os, signal
from worker.processes.child import run


def main(_spec, stop):
    stop.check()
    os.kill(os.getpid(), signal.SIGTERM)
    stop.check()


run(main)
"""


def test_a_child_stops_at_a_safe_point_once_it_is_asked_to(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text("{}")
    command = [sys.executable, "-P", "-c", _STOPPED, str(spec)]
    assert subprocess.run(command, check=False).returncode == EXIT_INTERRUPTED
