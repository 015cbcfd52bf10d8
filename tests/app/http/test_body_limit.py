import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import Message

from app.http import body_limit
from app.http.body_limit import is_deeper


class TestSize:
    def test_json_larger_than_1_mib_is_refused(self, client: TestClient) -> None:
        reply = client.post("/v1/jobs", json={"dataset_id": "x" * 1024 * 1024})
        assert (reply.status_code, reply.json()["code"]) == (413, "payload_too_large")


class TestDepth:
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_json_nested_too_deep_is_refused(
        self, client: TestClient, opening: str, closing: str
    ) -> None:
        for depth, status in ((33, 400), (32, 422), (150_000, 400)):
            body = opening * depth + "1" + closing * depth
            reply = client.post(
                "/v1/jobs", content=body, headers={"Content-Type": "application/json"}
            )
            assert reply.status_code == status, depth
            assert status != 400 or reply.json()["code"] == "invalid_request"

    @pytest.mark.parametrize(
        ("text", "depth"),
        [
            ("1", 0),
            ("[[]]", 2),
            ('["[[[["]', 1),
            (r'["\"[[["]', 1),
            ('[],[{"a":[]}]', 3),
            ('"[[', 0),
        ],
    )
    def test_is_that_of_the_brackets_outside_of_texts(self, text: str, depth: int) -> None:
        assert not is_deeper(text.encode(), depth)
        assert depth == 0 or is_deeper(text.encode(), depth - 1)


class TestTime:
    def test_a_body_that_trickles_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(body_limit, "_PATIENCE_SECONDS", 0.2)

        async def trickle() -> Message:
            await anyio.sleep(0.02)
            return {"type": "http.request", "body": b" ", "more_body": True}

        with pytest.raises(HTTPException) as caught:
            anyio.run(body_limit._read, trickle)
        assert caught.value.status_code == 408
