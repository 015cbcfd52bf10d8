"""Processes that tests start, and how to find those that these start in turn.

Tests start them by `started` or `start` and `end`, never by `subprocess.Popen`: a test that fails
would leave them behind, computing.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from labelaudit.supervisor import PARENT_PID_VARIABLE

_FAR_TOO_LONG = 600
"""Seconds. Not how long something should take: the machine may be busy with ten other tests."""


@contextmanager
def started(command: Sequence[object], **options: Any) -> "Iterator[subprocess.Popen[Any]]":
    """Run a process, with the options of `Popen`; whatever happens, nothing of it is left."""
    process = start(command, **options)
    with process:
        try:
            yield process
        finally:
            end(process)


def run_to_end(command: Sequence[object], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a process to its end, as `subprocess.run` with its output as text.

    Where it takes far too long, all that it started is ended with it.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(command, text=True, **pipes, **options) as process:
        out, err = process.communicate(timeout=_FAR_TOO_LONG)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(
    command: Sequence[object], *, env: Mapping[str, str] = os.environ, **options: Any
) -> "subprocess.Popen[Any]":
    """Start a process that leads a group of its own; it is the caller's to `end`.

    Where it is a program of ours, it also ends when the tests are killed; what a shell starts has
    another parent.
    """
    is_python = str(command[0]) == sys.executable
    watched = {PARENT_PID_VARIABLE: str(os.getpid())} if is_python else {}
    return subprocess.Popen(
        [str(word) for word in command],
        env={**env, **watched},
        start_new_session=True,
        **options,
    )


def end(process: "subprocess.Popen[Any]") -> None:
    """Kill a process, all of its group, and what they started in groups of their own."""
    below = _descendants_of(process.pid)
    for group in (process.pid, *below):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    process.wait()


def _descendants_of(pid: int) -> list[int]:
    try:
        children = children_of(pid)
    except FileNotFoundError:
        return []
    return [*children, *(below for child in children for below in _descendants_of(child))]


def find_processes(*words: str) -> list[int]:
    """Return the pids of processes whose command line has all these words, as pgrep -f does."""
    pids = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue  # ended meanwhile
        if command and all(word.encode() in command for word in words):
            pids.append(int(entry.name))
    return pids


def children_of(pid: int) -> list[int]:
    """Return the pids of the processes that this one has started and that still run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in children.split()]
