"""Files of the service are its user's alone, also where the machine's umask lets others read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import write_tiny_zip
from tests.support.stack import Stack, running_stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    before = os.umask(0o022)
    try:
        with running_stack(tmp_path, "api", "sweeper") as running:
            yield running
    finally:
        os.umask(before)


def _open_to_others(*folders: Path) -> list[Path]:
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    assert len(paths) > 1
    return [path for path in paths if path.stat().st_mode & 0o077]


def test_no_other_user_reads_what_server_mode_writes(stack: Stack, tmp_path: Path) -> None:
    client = stack.new_client()
    write_tiny_zip(tmp_path / "colours.zip")
    job_id = client.upload(tmp_path / "colours.zip", audit="none").json()["job_id"]
    assert list((stack.data_dir / "uploads").iterdir())
    assert _open_to_others(stack.data_dir) == []

    stack.start("cpu")
    assert client.wait(job_id)["state"] == "succeeded"
    stack.end("cpu")
    stack.call("db", "backup", str(stack.folder / "backup" / "copy.db"))
    assert _open_to_others(stack.data_dir, stack.folder / "backup") == []
