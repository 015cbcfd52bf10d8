from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where to write the file of a test."""
    return tmp_path / "upload"
