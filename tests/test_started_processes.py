"""Nothing that a test starts outlives it, however the test ends."""

import sys
from pathlib import Path

from tests.support.processes import find_processes, run_to_end, started
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent
FAILING = '''
import sys
from pathlib import Path
from tests.support.processes import run_to_end, started
from tests.support.waiting import wait_for

CHILD = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
PARENT = """
import subprocess, sys, time
command = [sys.executable, "-c", sys.argv[2]]
subprocess.Popen([*command, sys.argv[1]])
subprocess.Popen([*command, sys.argv[1] + "-apart"], start_new_session=True)
time.sleep(600)
"""

def test_that_fails(tmp_path):
    ready = tmp_path / "ready"
    with started([sys.executable, "-c", PARENT, ready, CHILD]):
        for name in ("ready", "ready-apart"):
            wait_for((tmp_path / name).exists, seconds=60, what="both children run")
        assert False, "on purpose"
'''

STARTER = """
import sys, time
from tests.support.processes import run_to_end, start
command = [sys.executable, "-P", "-m", "labelaudit", sys.argv[1], "--port", "0", "--data-dir"]
start([*command, sys.argv[2]])
time.sleep(600)
"""
PROGRAM = ("-m", "labelaudit")


def test_a_test_that_fails_leaves_no_process(tmp_path: Path) -> None:
    file = tmp_path / "test_failing.py"
    file.write_text(FAILING)
    done = run_to_end(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path,
         "--basetemp", tmp_path / "work", file],
        cwd=ROOT,
    )  # fmt: skip
    assert "on purpose" in done.stdout, done.stdout
    assert done.returncode == 1
    assert find_processes(str(tmp_path)) == []


def test_a_program_ends_with_the_tests_that_were_killed(tmp_path: Path) -> None:
    words = ("serve", str(tmp_path / "data"))
    with started([sys.executable, "-c", STARTER, *words], cwd=ROOT) as tests:
        pids = wait_for(lambda: find_processes(*PROGRAM, *words), seconds=60, what="the program")
        tests.kill()
        tests.wait()
        wait_for(lambda: not find_processes(*PROGRAM, *words), seconds=60, what="its end")
    assert pids
