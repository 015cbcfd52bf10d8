import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from labelaudit.supervisor import follow_parent
from tests.support.processes import started
from tests.support.waiting import wait_for

CHILD = """
import os, pathlib, signal, sys, time
from labelaudit.supervisor import follow_parent
def end(number, frame):
    pathlib.Path("ended").write_text(str(number))
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
follow_parent(os.environ)
assert "LABELAUDIT_PARENT_PID" not in os.environ
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep(30)
"""
PARENT = """
import os, subprocess, sys, time
environ = os.environ | {"LABELAUDIT_PARENT_PID": str(os.getpid())}
subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=environ, start_new_session=True)
time.sleep(60)
"""


def test_a_child_ends_the_clean_way_when_its_parent_was_killed(tmp_path: Path) -> None:
    with started([sys.executable, "-c", PARENT, CHILD], cwd=tmp_path) as parent:
        try:
            wait_for((tmp_path / "pid").exists, seconds=60, what="the child starts")
            parent.kill()
            parent.wait()
            wait_for((tmp_path / "ended").exists, seconds=60, what="the child ends")
        finally:
            with suppress(OSError, ValueError):
                os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (tmp_path / "ended").read_text() == str(signal.SIGTERM.value)


def test_a_parent_that_was_gone_before_the_child_looked_is_noticed(tmp_path: Path) -> None:
    environ = os.environ | {"LABELAUDIT_PARENT_PID": "999999999"}
    child = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=tmp_path, env=environ, timeout=20, check=False
    )
    assert child.returncode == 0
    assert (tmp_path / "ended").exists()


def test_without_a_named_parent_nothing_is_watched() -> None:
    follow_parent({})
    follow_parent({"LABELAUDIT_PARENT_PID": "garbage"})
