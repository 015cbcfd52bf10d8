from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _children_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children start with a safe path: tell them where the fake ones of the tests are."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
