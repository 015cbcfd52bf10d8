from collections.abc import Iterator

import pytest

from tests.support.service import Service, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One running program for the tests of a module."""
    with running_service(
        tmp_path_factory.mktemp("service"),
        LABELAUDIT_LEASE_SECONDS="6",
        LABELAUDIT_HEARTBEAT_SECONDS="1",
    ) as running:
        yield running
