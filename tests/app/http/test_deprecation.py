from datetime import date

import pytest
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from app.http.deprecation import deprecated

ANNOUNCED = deprecated(
    since=date(2026, 1, 1), sunset=date(2026, 9, 1), successor="/v1/jobs/{job_id}/samples"
)


def test_every_reply_names_both_days_and_the_successor() -> None:
    app = FastAPI()

    @app.get("/old", deprecated=True, dependencies=[Depends(ANNOUNCED)])
    def old() -> dict[str, int]:
        return {}

    headers = TestClient(app).get("/old").headers
    assert headers["deprecation"] == "@1767225600"
    assert headers["sunset"] == "Tue, 01 Sep 2026 00:00:00 GMT"
    assert headers["link"] == '</v1/jobs/{job_id}/samples>; rel="successor-version"'


def test_a_short_notice_is_refused() -> None:
    with pytest.raises(ValueError, match="180 days"):
        deprecated(since=date(2026, 1, 1), sunset=date(2026, 6, 1), successor="/v1/new")
