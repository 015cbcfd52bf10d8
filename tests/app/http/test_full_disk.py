"""What every way of sending bytes answers on a full disk, wherever it is met."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.http.context import AppContext
from app.models import Tenant
from tests.app.jobs.test_upload_endpoints import left_over
from tests.app.jobs.test_upload_endpoints import upload as post_dataset
from tests.app.uploads.test_endpoints import CONTENT, append, begin, code, limit, offset_of
from tests.support.engines import on_sqlite
from tests.support.factories import make_artifact, publish_findings
from tests.support.rows import make_dataset, make_job

pytestmark = on_sqlite
Fill = Callable[[pytest.MonkeyPatch, int], None]


def refuse_new_files(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let nothing be made below `incoming`, as on a volume without inodes."""

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        def checked(path: Any, *args: Any, **options: Any) -> Any:
            if "incoming" in Path(path).parent.parts:
                raise OSError(number, os.strerror(number))
            return function(path, *args, **options)

        return checked

    monkeypatch.setattr(Path, "open", refusing(Path.open))
    monkeypatch.setattr(os, "open", refusing(os.open))
    monkeypatch.setattr(os, "mkdir", refusing(os.mkdir))


def refuse_bytes(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let no byte reach the disk, as on a full volume."""

    def full(_descriptor: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=["full", "over quota"])
@pytest.mark.parametrize("fill", [refuse_new_files, refuse_bytes], ids=["open", "sync"])
class TestFullDisk:
    def test_is_told_to_an_upload(
        self,
        client: TestClient,
        context: AppContext,
        monkeypatch: pytest.MonkeyPatch,
        fill: Fill,
        number: int,
    ) -> None:
        context.folder.incoming.mkdir(parents=True)
        fill(monkeypatch, number)
        assert code(post_dataset(client)) == (507, "no_space")
        assert left_over(context) == []

    def test_is_told_to_a_resumable_upload_which_goes_on_later(
        self,
        client: TestClient,
        context: AppContext,
        monkeypatch: pytest.MonkeyPatch,
        fill: Fill,
        number: int,
    ) -> None:
        context.folder.parts.mkdir(parents=True)
        url = begin(client)
        with monkeypatch.context() as full:
            fill(full, number)
            assert code(append(client, url, 0, CONTENT)) == (507, "no_space")
        assert append(client, url, offset_of(client, url), CONTENT).status_code == 204

    def test_is_told_to_a_prediction(
        self,
        client: TestClient,
        context: AppContext,
        tenant: Tenant,
        monkeypatch: pytest.MonkeyPatch,
        fill: Fill,
        number: int,
    ) -> None:
        context.folder.incoming.mkdir(parents=True)
        with context.database.unit_of_work() as session:
            audit = make_job(session, make_dataset(session, tenant.id))
            publish_findings(session, audit, [])
            make_artifact(session, audit, "safetensors", b"weights")
        fill(monkeypatch, number)
        reply = client.post(f"/v1/jobs/{audit.id}/predict", files={"file": ("a.png", b"one")})
        assert code(reply) == (507, "no_space")
        assert left_over(context) == []


def test_a_volume_without_inodes_is_no_volume_that_is_ready(
    app: FastAPI, anonymous: TestClient, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(app, min_free_bytes=1)
    measure = os.statvfs

    def without_inodes(path: Any) -> os.statvfs_result:
        fields = list(measure(path))
        fields[5], fields[6], fields[7] = 1000, 0, 0
        return os.statvfs_result(fields)

    assert anonymous.get("/readyz").json()["checks"]["disk"] == "ok"
    monkeypatch.setattr(os, "statvfs", without_inodes)
    assert anonymous.get("/readyz").json()["checks"]["disk"] == "failed"
    assert code(post_dataset(client)) == (507, "no_space")
