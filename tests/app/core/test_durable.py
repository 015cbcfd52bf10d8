import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.core.durable import publish_file, write_json
from tests.support.waiting import wait_for

WRITER = """
import sys
from pathlib import Path
from app.core.durable import write_json
for number in range(10**6):
    write_json(Path(sys.argv[1]), [number] * 300_000)
"""


class TestWriteJson:
    def test_leaves_a_whole_file_whenever_it_is_killed(self, tmp_path: Path) -> None:
        target = tmp_path / "state.json"
        write_json(target, [])
        for i in range(6):
            first = target.stat().st_mtime_ns
            with subprocess.Popen([sys.executable, "-c", WRITER, target]) as writer:
                wait_for(
                    lambda first=first: target.stat().st_mtime_ns != first,  # type: ignore[misc]
                    seconds=30,
                    what="a write",
                )
                time.sleep(0.01 * i)
                writer.kill()
            numbers = json.loads(target.read_text())
            assert len(numbers) == 300_000
            assert len(set(numbers)) == 1


class TestPublishFile:
    def test_makes_the_contents_durable_before_the_name_and_then_the_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A power cut cannot be staged: look at the order of what the system is asked for."""
        asked: list[str] = []
        sync, rename = os.fsync, os.replace

        def noted_sync(descriptor: int) -> None:
            asked.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
            sync(descriptor)

        def noted_rename(source: Path, target: Path) -> None:
            asked.append(f"rename to {Path(target).name}")
            rename(source, target)

        monkeypatch.setattr(os, "fsync", noted_sync)
        monkeypatch.setattr(os, "replace", noted_rename)
        (tmp_path / "part").write_text("contents")
        publish_file(tmp_path / "part", tmp_path / "folder" / "name")
        assert asked == ["sync part", "rename to name", "sync folder"]
