import hashlib
import io
import json
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.jobs.service import JobService
from app.models import Tenant
from tests.app.asgi import Reply, post
from tests.app.conftest import MakeClient, NotedWakeUps
from tests.app.walking import walk


def make_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cat/1.png", b"x" * 300)
    return buffer.getvalue()


def make_tar(mode: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("cat/1.png"), io.BytesIO())
    return buffer.getvalue()


ZIP = make_zip()


@pytest.fixture(autouse=True)
def no_temp_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever spools an upload fails."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there-is-no-temp-folder"))


def upload(client: TestClient, content: bytes = ZIP, name: str = "x.zip", **fields: str) -> Any:
    return client.post("/v1/datasets", files={"file": (name, content)}, data=fields)


def code(reply: Any) -> tuple[int, str]:
    status = reply.status if isinstance(reply, Reply) else reply.status_code
    return status, reply.json()["code"]


def left_over(context: AppContext) -> list[Path]:
    root = context.folder.root
    return [
        path
        for name in ("incoming", "uploads")
        for path in (root / name).glob("**/*")
        if path.is_file()
    ]


class TestCreateDataset:
    def test_stores_the_bytes_and_queues_an_audit(
        self, client: TestClient, context: AppContext, wake_ups: NotedWakeUps
    ) -> None:
        reply = upload(client, name="C:\\Users\\me\\my.pets.tar.gz")
        assert reply.status_code == 202
        assert set(reply.json()) == {"dataset_id", "job_id"}
        assert reply.headers["location"] == f"/v1/jobs/{reply.json()['job_id']}"
        dataset = client.get(f"/v1/datasets/{reply.json()['dataset_id']}").json()
        assert (dataset["name"], dataset["state"]) == ("my.pets", "pending")
        assert dataset["upload"] == {
            "name": "my.pets.tar.gz",
            "sha256": hashlib.sha256(ZIP).hexdigest(),
            "num_bytes": len(ZIP),
        }
        job = client.get(reply.headers["location"]).json()
        assert (job["kind"], job["state"], job["stage"]) == ("audit", "queued", "queued")
        assert job["options"] == {
            "preset": "auto",
            "method": "m-dyr-h",
            "epochs": None,
            "seed": 0,
            "signals": None,
        }
        assert left_over(context) == [context.folder.upload(UUID(dataset["id"]))]
        assert left_over(context)[0].read_bytes() == ZIP
        assert wake_ups.queues == ["cpu"]

    def test_takes_options_and_a_name(self, client: TestClient) -> None:
        options = {"preset": "standard", "method": "ce", "epochs": 3, "seed": 7}
        signals = {"signals": ["margin", "prediction", "margin"]}
        reply = upload(client, name="x.zip", audit=json.dumps(options | signals))
        kept = client.get(reply.headers["location"]).json()["options"]
        assert kept == options | {"signals": ["prediction", "margin"]}
        named = client.post("/v1/datasets", files={"file": ("x.zip", ZIP)}, data={"name": " Pets "})
        path = f"/v1/datasets/{named.json()['dataset_id']}"
        assert client.get(path).json()["name"] == "Pets"

    def test_only_takes_in_where_no_audit_is_wanted(
        self, make_client: MakeClient, tenant: Tenant
    ) -> None:
        client = make_client(tenant.id, [Scope.WRITE, Scope.READ])
        assert code(upload(client)) == (403, "forbidden")
        job = client.get(upload(client, audit="none").headers["location"]).json()
        assert (job["kind"], job["options"]) == ("ingest", {})

    @pytest.mark.parametrize(
        "content",
        [ZIP, make_tar("w"), make_tar("w:gz"), b"\x28\xb5\x2f\xfd" + bytes(300), b"PAR1" * 99],
        ids=["zip", "tar", "tar.gz", "tar.zst", "parquet"],
    )
    def test_takes_what_may_be_a_data_set(self, client: TestClient, content: bytes) -> None:
        assert upload(client, content).status_code == 202

    def test_fields_may_come_in_any_order(self, client: TestClient) -> None:
        parts: list[Any] = [
            ("file", ("x.zip", ZIP)),
            ("audit", (None, '{"epochs": 2}')),
            ("name", (None, "pets")),
        ]
        for order in (parts, parts[::-1]):
            reply = client.post("/v1/datasets", files=order)
            job = client.get(reply.headers["location"]).json()
            assert job["options"]["epochs"] == 2

    def test_starts_the_history_of_the_job(self, client: TestClient) -> None:
        location = upload(client).headers["location"]
        client.post(f"{location}/cancel")
        assert client.get(f"{location}/events").text.startswith(
            'event: state\ndata: {"state": "queued"}\nid: 1\n\n'
        )


class TestRefusedUpload:
    @pytest.fixture(autouse=True)
    def leaves_nothing(self, client: TestClient, context: AppContext) -> Iterator[None]:
        yield
        assert left_over(context) == []
        assert walk(client, "/v1/datasets") == []

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ('{"method": "magic"}', "unknown_method"),
            ('{"method": []}', "unknown_method"),
            ('{"preset": "hasty"}', "unknown_preset"),
            ('{"epochs": 0}', "invalid_epochs"),
            ('{"epochs": 10001}', "invalid_epochs"),
            ('{"epochs": true}', "invalid_epochs"),
            ('{"epochs": 1.5}', "invalid_epochs"),
            ('{"seed": -1}', "invalid_seed"),
            ('{"seed": null}', "invalid_seed"),
            ('{"colour": "red"}', "validation_error"),
            ("[]", "invalid_audit_options"),
            ("{", "invalid_audit_options"),
            ("", "invalid_audit_options"),
        ],
    )
    def test_for_its_options(self, client: TestClient, options: str, expected: str) -> None:
        reply = upload(client, audit=options)
        assert code(reply) == (422, expected)
        assert reply.json()["errors"][0]["loc"][:2] == ["body", "audit"]

    def test_names_the_known_methods(self, client: TestClient) -> None:
        assert "ce, mixup, st-s" in upload(client, audit='{"method": "x"}').json()["detail"]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"", "empty_upload"),
            (b"x", "unknown_archive"),
            (b"plain text " * 100, "unknown_archive"),
            (b"\x00" * 257 + b"ustaR" + b"\x00" * 300, "unknown_archive"),
            (b"Rar!\x1a\x07\x00" + b"\x00" * 300, "unknown_archive"),
        ],
    )
    def test_for_its_first_bytes(self, client: TestClient, content: bytes, expected: str) -> None:
        assert code(upload(client, content)) == (422, expected)

    def test_without_its_file(self, client: TestClient) -> None:
        reply = client.post("/v1/datasets", files={"name": (None, "pets")})
        assert code(reply) == (422, "missing_file")

    @pytest.mark.parametrize(
        "parts",
        [
            [("file", ("a.zip", ZIP)), ("file", ("b.zip", ZIP))],
            [("file", ("a.zip", ZIP)), ("audits", (None, "none"))],
            [("file", ("a.zip", ZIP)), ("name", (None, "x" * 201))],
            [("file", ("a.zip", ZIP)), ("name", (None, "x\x00y"))],
            [("file", ("a.zip", ZIP)), ("name", (None, b"\xff"))],
            [("file", ("a.zip", ZIP)), ("audit", (None, " " * 65537))],
        ],
    )
    def test_for_its_form(self, client: TestClient, parts: list[Any]) -> None:
        assert code(client.post("/v1/datasets", files=parts)) == (422, "validation_error")

    def test_that_is_no_form(self, client: TestClient) -> None:
        assert code(client.post("/v1/datasets", data={"a": "b"})) == (415, "unsupported_media_type")
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        reply = client.post("/v1/datasets", content=b"no form", headers=headers)
        assert code(reply) == (400, "invalid_request")

    @pytest.mark.parametrize("hangs_up", [False, True])
    @pytest.mark.parametrize("num_bytes", [0, 1, 150, 300])
    def test_that_ends_early(
        self, app: FastAPI, client: TestClient, num_bytes: int, *, hangs_up: bool
    ) -> None:
        reply = post(
            app,
            "/v1/datasets",
            headers=form_headers(client),
            chunks=[make_form(ZIP)[:num_bytes]],
            hangs_up=hangs_up,
        )
        assert code(reply) == (400, "truncated_upload")

    def test_by_a_database_that_is_down(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_args: object, **_kwargs: object) -> None:
            raise OperationalError("INSERT", {}, Exception("down"))

        with monkeypatch.context() as patch:
            patch.setattr(JobService, "_enqueue", down)
            assert code(upload(client)) == (503, "database_unavailable")


class TestLimits:
    @pytest.mark.parametrize("announced", [True, False])
    def test_too_many_bytes_are_refused(
        self, app: FastAPI, client: TestClient, context: AppContext, *, announced: bool
    ) -> None:
        limit(app, max_upload_bytes=2000)
        body = make_form(ZIP + b"x" * 2000)
        headers = form_headers(client)
        # Announced: not one byte is asked for.
        chunks = [] if announced else [body[:1500], body[1500:]]
        if announced:
            headers["Content-Length"] = str(len(body))
        reply = post(app, "/v1/datasets", headers=headers, chunks=chunks)
        assert code(reply) == (413, "payload_too_large")
        assert left_over(context) == []

    @pytest.mark.parametrize("announced", [True, False])
    def test_a_full_disk_is_told(
        self, app: FastAPI, client: TestClient, context: AppContext, *, announced: bool
    ) -> None:
        body = make_form(ZIP)
        headers = form_headers(client)
        if announced:
            headers["Content-Length"] = str(2**50)
            limit(app, max_upload_bytes=2**51)
        else:
            limit(app, min_free_bytes=2**50)
        reply = post(app, "/v1/datasets", headers=headers, chunks=[body])
        assert code(reply) == (507, "no_space")
        assert left_over(context) == []

    def test_memory_stays_flat(self, app: FastAPI, client: TestClient, context: AppContext) -> None:
        num_bytes, chunk = 200 * 2**20, bytes(64 * 1024)
        head, tail = make_form(b"PK\x03\x04|||").split(b"|||")

        def chunks() -> Iterator[bytes]:
            yield head
            for _ in range(num_bytes // len(chunk)):
                yield chunk
            yield tail

        tracemalloc.start()
        reply = post(app, "/v1/datasets", headers=form_headers(client), chunks=chunks())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert reply.status == 202
        (stored,) = left_over(context)
        assert stored.stat().st_size == num_bytes + 4
        assert peak < 20 * 2**20


def limit(app: FastAPI, **settings: int) -> None:
    context: AppContext = app.state.context
    changed = context.settings.model_copy(update=settings)
    app.state.context = replace(context, settings=changed)


def form_headers(client: TestClient) -> dict[str, str]:
    return {
        "Authorization": client.headers["authorization"],
        "Content-Type": "multipart/form-data; boundary=edge",
    }


def make_form(content: bytes) -> bytes:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n\r\n'
    return head + content + b"\r\n--edge--\r\n"
