from pathlib import Path

import pytest

from app.core.storage import BlobStore


@pytest.fixture(autouse=True)
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry per sync; a real one waits for everything that the machine has to write."""
    calls: list[None] = []
    monkeypatch.setattr(BlobStore, "sync", staticmethod(lambda: calls.append(None)))
    return calls


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Where to write the archive of a test."""
    return tmp_path / "upload"
