"""The supervisor with tiny children, in a process of its own since it takes the signals."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.support.processes import started
from tests.support.waiting import wait_for

SUPERVISE = """
import os, sys
from labelaudit.supervisor import Pace, Program, StopRequests, Supervisor
code, *names = sys.argv[1:]
programs = [Program(name, (sys.executable, "-c", code, name)) for name in names]
pace = Pace(first_pause=0.05, longest_pause=0.2, grace=float(os.environ["GRACE"]))
Supervisor(programs, os.environ, StopRequests(), pace).run(lambda: None)
"""
SLEEP = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
COUNT = """
import sys
with open(sys.argv[1], "a") as file:
    file.write("x")
"""


@contextmanager
def supervising(
    code: str, folder: Path, *names: str, grace: float = 20
) -> "Iterator[subprocess.Popen[str]]":
    with started(
        [sys.executable, "-c", SUPERVISE, textwrap.dedent(code), *names],
        cwd=folder,
        env=os.environ | {"GRACE": str(grace)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            for name in names:
                end_by_file(folder / name)


def end_by_file(file: Path) -> None:
    with suppress(OSError, ValueError):
        os.kill(int(file.read_text()), signal.SIGKILL)


def read_pid(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    with supervising(SLEEP, tmp_path, "a"):
        first = wait_for(lambda: read_pid(tmp_path / "a"), seconds=120, what="the child starts")
        os.kill(first, signal.SIGKILL)
        wait_for(
            lambda: read_pid(tmp_path / "a") not in {None, first},
            seconds=120,
            what="it is started again",
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_ends_all_children(tmp_path: Path, number: signal.Signals) -> None:
    with supervising(SLEEP, tmp_path, "a", "b") as process:
        pids = [
            wait_for(partial(read_pid, tmp_path / name), seconds=120, what="the child starts")
            for name in ("a", "b")
        ]
        process.send_signal(number)
        assert process.wait(10) == 0
        assert not any(is_alive(pid) for pid in pids)


def test_children_that_do_not_listen_are_killed_after_the_grace(tmp_path: Path) -> None:
    with supervising(DEAF, tmp_path, "a", grace=0.5) as process:
        pid = wait_for(lambda: read_pid(tmp_path / "a"), seconds=120, what="the child starts")
        process.terminate()
        assert process.wait(10) == 0
        assert not is_alive(pid)


def test_a_second_signal_kills_at_once(tmp_path: Path) -> None:
    with supervising(DEAF, tmp_path, "a", grace=60) as process:
        pid = wait_for(lambda: read_pid(tmp_path / "a"), seconds=120, what="the child starts")
        process.terminate()
        time.sleep(0.3)
        assert process.poll() is None
        process.terminate()
        assert process.wait(10) == 0
        assert not is_alive(pid)


def test_a_child_that_always_fails_is_started_ever_more_rarely(tmp_path: Path) -> None:
    with supervising(COUNT, tmp_path, "a") as process:
        wait_for(
            lambda: (tmp_path / "a").exists() and len((tmp_path / "a").read_text()) >= 4,
            seconds=120,
            what="four starts",
        )
        process.terminate()
        _, said = process.communicate(timeout=120)
    pauses = [line.rsplit(" in ", 1)[1] for line in said.splitlines()]
    assert pauses[:4] == ["0.05 s", "0.1 s", "0.2 s", "0.2 s"][: len(pauses)]
    assert "a ended with exit code 0" in said
