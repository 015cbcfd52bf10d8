"""tus 1.0.0 as its specification words it, request by request."""

import base64
import hashlib
import tracemalloc
from collections.abc import Iterable, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.core.clock import utc_now
from app.core.digests import GrowingDigests
from app.http.context import AppContext
from app.models import Tenant
from app.uploads.receiver import PartFile
from tests.app.asgi import Reply, post
from tests.app.conftest import MakeClient

CONTENT = bytes(range(256)) * 40
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = TUS | {"Content-Type": "application/offset+octet-stream"}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def begin(client: TestClient, num_bytes: int = len(CONTENT), **metadata: str) -> str:
    pairs = ",".join(f"{key} {encoded(value.encode())}" for key, value in metadata.items())
    headers = TUS | {"Upload-Length": str(num_bytes)}
    reply = client.post(
        "/v1/uploads", headers=headers | ({"Upload-Metadata": pairs} if pairs else {})
    )
    assert reply.status_code == 201, reply.text
    location: str = reply.headers["location"]
    assert location == f"/v1/uploads/{reply.json()['upload_id']}"
    return location


def append(client: TestClient, url: str, offset: int, data: bytes, **headers: str) -> Any:
    all_headers = CHUNK | {"Upload-Offset": str(offset)} | headers
    return client.patch(url, content=data, headers=all_headers)


def offset_of(client: TestClient, url: str) -> int:
    reply = client.head(url, headers=TUS)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    return int(reply.headers["upload-offset"])


def code(reply: Any) -> tuple[int, str]:
    status = reply.status if isinstance(reply, Reply) else reply.status_code
    return status, reply.json()["code"]


def parts(context: AppContext) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in context.folder.parts.glob("*")}


def limit(app: FastAPI, **settings: Any) -> None:
    context: AppContext = app.state.context
    app.state.context = replace(context, settings=context.settings.model_copy(update=settings))


class TestOptions:
    def test_say_what_the_server_can_do(self, client: TestClient) -> None:
        reply = client.options("/v1/uploads")
        assert reply.status_code == 204
        assert reply.headers["tus-version"] == reply.headers["tus-resumable"] == "1.0.0"
        assert reply.headers["tus-extension"] == "creation,checksum,expiration,termination"
        assert int(reply.headers["tus-max-size"]) > 2**30
        assert "sha1" in reply.headers["tus-checksum-algorithm"].split(",")


class TestCreate:
    def test_promises_a_place_and_a_time(self, client: TestClient) -> None:
        headers = TUS | {"Upload-Length": "5"}
        reply = client.post("/v1/uploads", headers=headers)
        expires = parsedate_to_datetime(reply.headers["upload-expires"])
        assert 23 * 3600 < (expires - utc_now()).total_seconds() <= 24 * 3600
        assert offset_of(client, reply.headers["location"]) == 0

    def test_gives_length_and_metadata_back(self, client: TestClient) -> None:
        url = begin(client, 7, filename="Äpfel.zip", empty="")
        reply = client.head(url, headers=TUS)
        assert reply.headers["upload-length"] == "7"
        pairs = reply.headers["upload-metadata"].split(",")
        assert pairs == [f"filename {encoded('Äpfel.zip'.encode())}", "empty"]

    @pytest.mark.parametrize("length", ["", "0", "-1", "x", "1.5"])
    def test_needs_a_length(self, client: TestClient, length: str) -> None:
        headers = TUS | ({"Upload-Length": length} if length else {})
        assert code(client.post("/v1/uploads", headers=headers)) == (422, "validation_error")

    @pytest.mark.parametrize("metadata", ["name !", "name YQ==,name YQ==", "name //8="])
    def test_refuses_unreadable_metadata(self, client: TestClient, metadata: str) -> None:
        headers = TUS | {"Upload-Length": "5", "Upload-Metadata": metadata}
        assert code(client.post("/v1/uploads", headers=headers)) == (400, "invalid_request")

    @pytest.mark.parametrize("version", [None, "0.2.2"])
    def test_refuses_other_versions(self, client: TestClient, version: str | None) -> None:
        headers = {"Upload-Length": "5"} | ({"Tus-Resumable": version} if version else {})
        reply = client.post("/v1/uploads", headers=headers)
        assert code(reply) == (412, "unsupported_tus_version")
        assert reply.headers["tus-version"] == "1.0.0"

    def test_refuses_what_is_too_large_before_the_first_byte(
        self, app: FastAPI, client: TestClient
    ) -> None:
        limit(app, max_upload_bytes=100)
        reply = client.post("/v1/uploads", headers=TUS | {"Upload-Length": "101"})
        assert code(reply) == (413, "payload_too_large")

    def test_keeps_the_reserve_of_the_disk(self, app: FastAPI, client: TestClient) -> None:
        limit(app, max_upload_bytes=2**60)
        reply = client.post("/v1/uploads", headers=TUS | {"Upload-Length": str(2**55)})
        assert code(reply) == (507, "no_space")

    def test_keeps_the_quota_counting_what_is_only_announced(
        self, app: FastAPI, client: TestClient, stranger: TestClient
    ) -> None:
        limit(app, max_tenant_bytes=100)
        url = begin(client, 60)
        headers = TUS | {"Upload-Length": "41"}
        assert code(client.post("/v1/uploads", headers=headers)) == (429, "quota_exceeded")
        form = {"file": ("x.zip", b"PK\x03\x04" + bytes(300))}
        assert code(client.post("/v1/datasets", files=form)) == (429, "quota_exceeded")
        assert stranger.post("/v1/uploads", headers=headers).status_code == 201
        assert client.delete(url, headers=TUS).status_code == 204
        assert client.post("/v1/uploads", headers=headers).status_code == 201


class TestAppend:
    def test_goes_on_where_the_last_one_ended(
        self, client: TestClient, context: AppContext
    ) -> None:
        url = begin(client)
        for start in range(0, len(CONTENT), 4000):
            piece = CONTENT[start : start + 4000]
            reply = append(client, url, start, piece)
            assert reply.status_code == 204, reply.text
            assert int(reply.headers["upload-offset"]) == start + len(piece)
            assert "upload-expires" in reply.headers
            assert offset_of(client, url) == start + len(piece)
        assert list(parts(context).values()) == [CONTENT]

    @pytest.mark.parametrize("offset", [0, 99, 101, len(CONTENT)])
    def test_at_another_offset_changes_nothing(
        self, client: TestClient, context: AppContext, offset: int
    ) -> None:
        url = begin(client)
        append(client, url, 0, CONTENT[:100])
        reply = append(client, url, offset, CONTENT[:50])
        assert code(reply) == (409, "offset_mismatch")
        assert reply.headers["upload-offset"] == "100"
        assert list(parts(context).values()) == [CONTENT[:100]]

    @pytest.mark.parametrize("announced", [True, False])
    def test_of_more_than_was_announced_is_refused(
        self, app: FastAPI, client: TestClient, context: AppContext, *, announced: bool
    ) -> None:
        url = begin(client, 150)
        append(client, url, 0, CONTENT[:100])
        length = {"Content-Length": "51"} if announced else {}
        reply = stream(app, client, url, 100, [CONTENT[:51]], headers=length)
        assert code(reply) == (413, "payload_too_large")
        assert list(parts(context).values()) == [CONTENT[:100]]

    def test_of_another_media_type_is_refused(self, client: TestClient) -> None:
        reply = client.patch(begin(client), content=b"x", headers=TUS | {"Upload-Offset": "0"})
        assert code(reply) == (415, "unsupported_media_type")

    def test_keeps_what_came_before_the_line_broke(
        self, app: FastAPI, client: TestClient, context: AppContext
    ) -> None:
        url = begin(client)
        reply = stream(app, client, url, 0, [CONTENT[:3000], CONTENT[3000:4000]], hangs_up=True)
        assert code(reply) == (400, "truncated_upload")
        assert offset_of(client, url) == 4000
        assert append(client, url, 4000, CONTENT[4000:]).status_code == 204
        assert list(parts(context).values()) == [CONTENT]

    def test_is_refused_while_another_one_writes(
        self, client: TestClient, context: AppContext
    ) -> None:
        url = begin(client)
        append(client, url, 0, CONTENT[:100])
        with PartFile(next(context.folder.parts.glob("*"))):
            assert code(append(client, url, 100, b"x")) == (423, "upload_locked")
            assert code(client.delete(url, headers=TUS)) == (423, "upload_locked")
        assert append(client, url, 100, b"x").status_code == 204

    def test_drops_bytes_that_the_row_does_not_vouch_for(
        self, client: TestClient, context: AppContext
    ) -> None:
        """As a killed process leaves them."""
        url = begin(client)
        append(client, url, 0, CONTENT[:100])
        with next(context.folder.parts.glob("*")).open("ab") as file:
            file.write(b"never checked")
        assert append(client, url, 100, CONTENT[100:]).status_code == 204
        assert list(parts(context).values()) == [CONTENT]

    def test_may_come_as_a_post(self, client: TestClient) -> None:
        url = begin(client)
        headers = CHUNK | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
        assert client.post(url, content=CONTENT[:9], headers=headers).status_code == 204
        assert offset_of(client, url) == 9

    def test_tells_a_full_disk(self, app: FastAPI, client: TestClient) -> None:
        url = begin(client)
        limit(app, min_free_bytes=2**60)
        assert code(append(client, url, 0, CONTENT)) == (507, "no_space")

    def test_needs_flat_memory_only(self, app: FastAPI, client: TestClient) -> None:
        num_bytes, chunk = 100 * 2**20, bytes(64 * 1024)
        url = begin(client, num_bytes)
        tracemalloc.start()
        reply = stream(app, client, url, 0, (chunk for _ in range(num_bytes // len(chunk))))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert reply.status == 204
        assert peak < 20 * 2**20


class TestChecksum:
    @pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
    def test_that_is_right_lets_the_bytes_in(self, client: TestClient, algorithm: str) -> None:
        url = begin(client)
        good = f"{algorithm} {encoded(hashlib.new(algorithm, CONTENT[:100]).digest())}"
        reply = append(client, url, 0, CONTENT[:100], **{"Upload-Checksum": good})
        assert reply.status_code == 204

    def test_that_is_wrong_drops_them(self, client: TestClient, context: AppContext) -> None:
        url = begin(client)
        append(client, url, 0, CONTENT[:100])
        bad = f"sha1 {encoded(hashlib.sha1(b'else', usedforsecurity=False).digest())}"
        reply = append(client, url, 100, CONTENT[100:], **{"Upload-Checksum": bad})
        assert code(reply) == (460, "checksum_mismatch")
        assert offset_of(client, url) == 100
        assert list(parts(context).values()) == [CONTENT[:100]]
        assert append(client, url, 100, CONTENT[100:]).status_code == 204

    @pytest.mark.parametrize("value", ["md5 YQ==", "sha1", "sha1 ?"])
    def test_of_another_kind_is_refused(self, client: TestClient, value: str) -> None:
        reply = append(client, begin(client), 0, b"x", **{"Upload-Checksum": value})
        assert code(reply) in {(400, "invalid_request"), (460, "checksum_mismatch")}

    def test_cannot_be_checked_on_a_broken_line(self, app: FastAPI, client: TestClient) -> None:
        url = begin(client)
        good = f"sha256 {encoded(hashlib.sha256(CONTENT).digest())}"
        headers = {"Upload-Checksum": good}
        stream(app, client, url, 0, [CONTENT[:300]], hangs_up=True, headers=headers)
        assert offset_of(client, url) == 0

    @pytest.mark.parametrize("restarted", [False, True])
    def test_of_the_whole_file_is_compared_at_its_end(
        self, app: FastAPI, client: TestClient, context: AppContext, *, restarted: bool
    ) -> None:
        url = begin(client, sha256=hashlib.sha256(CONTENT).hexdigest())
        append(client, url, 0, CONTENT[:100])
        if restarted:
            app.state.context = replace(context, digests=GrowingDigests())
        assert code(append(client, url, 100, CONTENT[:-100])) == (460, "checksum_mismatch")
        assert offset_of(client, url) == 0
        assert append(client, url, 0, CONTENT).status_code == 204


class TestEnd:
    def test_a_deleted_upload_leaves_nothing(self, client: TestClient, context: AppContext) -> None:
        url = begin(client)
        append(client, url, 0, CONTENT[:100])
        assert client.delete(url, headers=TUS).status_code == 204
        assert parts(context) == {}
        assert client.head(url, headers=TUS).status_code == 404
        assert code(append(client, url, 100, b"x")) == (404, "not_found")

    def test_an_expired_one_is_gone(self, app: FastAPI, client: TestClient) -> None:
        limit(app, upload_expires_seconds=-1.0)
        url = begin(client)
        assert client.head(url, headers=TUS).status_code == 410
        assert code(append(client, url, 0, b"x")) == (410, "upload_expired")

    def test_each_piece_prolongs_it(self, app: FastAPI, client: TestClient) -> None:
        limit(app, upload_expires_seconds=60.0)
        url = begin(client)
        limit(app, upload_expires_seconds=3600.0)
        reply = append(client, url, 0, b"x")
        left = parsedate_to_datetime(reply.headers["upload-expires"]) - utc_now()
        assert left.total_seconds() > 3000


class TestAccess:
    def test_a_foreign_upload_is_unknown(self, client: TestClient, stranger: TestClient) -> None:
        url = begin(client)
        assert stranger.head(url, headers=TUS).status_code == 404
        assert code(append(stranger, url, 0, b"x")) == (404, "not_found")
        assert code(stranger.delete(url, headers=TUS)) == (404, "not_found")
        assert offset_of(client, url) == 0

    def test_needs_a_key_with_the_scope(
        self, anonymous: TestClient, make_client: MakeClient, tenant: Tenant
    ) -> None:
        headers = TUS | {"Upload-Length": "5"}
        reply = anonymous.post("/v1/uploads", headers=headers)
        assert code(reply) == (401, "unauthenticated")
        assert reply.headers["tus-resumable"] == "1.0.0"
        reader = make_client(tenant.id, [Scope.READ])
        assert code(reader.post("/v1/uploads", headers=headers)) == (403, "forbidden")


def stream(
    app: FastAPI,
    client: TestClient,
    url: str,
    offset: int,
    chunks: Iterable[bytes],
    *,
    hangs_up: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    key = {"Authorization": client.headers["authorization"]}
    all_headers = CHUNK | {"Upload-Offset": str(offset)} | key | dict(headers or {})
    return post(app, url, method="PATCH", chunks=chunks, hangs_up=hangs_up, headers=all_headers)
