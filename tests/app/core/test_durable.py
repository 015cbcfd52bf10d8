import os
import sys
import time
from pathlib import Path

import pytest

from app.core.durable import publish_file, write_bytes
from tests.support.processes import started

NUM_BYTES = 50_000_000
WRITER = """
import sys
from pathlib import Path
from app.core.durable import write_bytes
for number in range(10**6):
    write_bytes(Path(sys.argv[1]), bytes([number % 256]) * int(sys.argv[2]))
"""


class TestWriteBytes:
    def test_leaves_a_whole_file_whenever_it_is_killed(self, tmp_path: Path) -> None:
        target = tmp_path / "state"
        write_bytes(target, bytes(NUM_BYTES))
        for i in range(5):
            before = target.stat().st_mtime_ns
            command = [sys.executable, "-c", WRITER, str(target), str(NUM_BYTES)]
            with started(command) as writer:
                while target.stat().st_mtime_ns == before:
                    time.sleep(0.001)
                time.sleep(0.005 * i)
                writer.kill()
            content = target.read_bytes()
            assert len(content) == NUM_BYTES
            assert content.count(content[:1]) == NUM_BYTES


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
