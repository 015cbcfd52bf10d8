"""What a child process does before its work."""

import os
import subprocess
import sys
from pathlib import Path

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
