from collections.abc import Callable, Iterator

import pytest

from tests.faults.house import House, open_house

Say = Callable[[str], None]


@pytest.fixture(scope="module", params=["embedded", "server"])
def ill_treated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """One service in each mode for the tests of a module."""
    with open_house(tmp_path_factory.mktemp(request.param), request.param) as opened:
        yield opened


@pytest.fixture
def house(ill_treated: House) -> House:
    """The service, with all of its processes running."""
    ill_treated.restore()
    return ill_treated


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print a criterion and what was measured, also where pytest keeps output back."""

    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}")  # noqa: T201 - the point of it

    return show
