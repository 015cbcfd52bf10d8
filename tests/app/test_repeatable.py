"""Every POST of the OpenAPI document is safe to repeat."""

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.http.context import AppContext
from app.models import Dataset, IdempotencyKey, Job, JobState, Tenant
from tests.app.conftest import MakeClient
from tests.support.archives import write_tiny_zip
from tests.support.engines import on_sqlite
from tests.support.factories import make_artifact, make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

KEY = "once-1"


class World:
    """What the requests are about: an audited data set, a running and a failed job."""

    def __init__(
        self, client: TestClient, operator: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        self.client, self.operator = client, operator
        with context.database.unit_of_work() as session:
            self.dataset: Dataset = make_dataset(session, tenant.id)
            job = make_job(session, self.dataset)
            publish_findings(session, job, make_samples(session, self.dataset, 4))
            make_artifact(session, job, "safetensors", b"weights")
            self.audit = job.id
            self.queued = make_job(session, self.dataset).id
            self.failed = make_job(session, self.dataset, state=JobState.FAILED).id
        self.promise = self.check = ""
        self.key_id = client.post("/v1/keys", json={"name": "theirs", "scopes": ["read"]}).json()[
            "id"
        ]
        self.decisions = f"/v1/datasets/{self.dataset.id}/decisions"
        items = client.get(f"/v1/jobs/{self.audit}/samples").json()["items"]
        self.samples = [{key: item[key] for key in ("sample_id", "version")} for item in items]

    def prepare(self, path: str) -> None:
        """Do what a route undoes."""
        if path.endswith(("/undo", "/redo", "/recalibrate")):
            body = {"decision": "keep", "samples": self.samples[:1]}
            self.client.post(self.decisions, json=body).raise_for_status()
        if path.endswith("/redo"):
            self.client.post(f"{self.decisions}/undo").raise_for_status()
        if "/promises/" in path:
            self._promise(is_passed=path.endswith("/accept"))

    def _promise(self, *, is_passed: bool) -> None:
        """Open one on a single sample, and answer its check rightly if that is wanted."""
        terms = {"kind": "band", "action": "relabel", "shares": [0.5, 1.0]}
        opened = self.client.post(f"/v1/jobs/{self.audit}/promises", json=terms).json()
        self.promise = f"/v1/promises/{opened['id']}"
        checks = self.client.get(f"{self.promise}/checks").json()["items"]
        self.check = checks[0]["sample_id"]
        for check in checks if is_passed else ():
            (label,) = {*self.dataset.classes} - {check["given_label"]}
            answer = {"sample_id": check["sample_id"], "decision": "relabel", "label": label}
            self.client.post(f"{self.promise}/answers", json=answer).raise_for_status()


Call = Callable[[World, str], Any]
"""Sends a route's request; `other` makes it another one, where that is possible."""


def _json(path: Callable[[World], str], body: Callable[[World, str], Any]) -> Call:
    def send(world: World, variant: str) -> Any:
        headers = {"Idempotency-Key": KEY}
        return world.client.post(path(world), json=body(world, variant), headers=headers)

    return send


def _form(path: str, content: Callable[[], bytes]) -> Call:
    def send(world: World, variant: str) -> Any:
        return world.client.post(
            path,
            files={"file": ("x", content())},
            data={"name": variant},
            headers={"Idempotency-Key": KEY},
        )

    return send


@cache  # it holds the time
def _zip() -> bytes:
    file = io.BytesIO()
    write_tiny_zip(file, num_train=6)  # type: ignore[arg-type] # zipfile takes a file too
    return file.getvalue()


def _upload(world: World, variant: str) -> Any:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(variant)),
        "Idempotency-Key": KEY,
    }
    return world.client.post("/v1/uploads", headers=headers)


def _revert(kind: str) -> Call:
    return _json(
        lambda world: f"{world.decisions}/{kind}",
        lambda _, variant: None if variant == "first" else {"step_id": 99},
    )


def _predict(world: World, variant: str) -> Any:
    return world.client.post(
        f"/v1/jobs/{world.audit}/predict",
        files=[("file", ("a.png", variant.encode()))],
        params={"wait": 0},
        headers={"Idempotency-Key": KEY},
    )


def _part(world: World, variant: str) -> Any:
    return _form(f"/v1/datasets/{world.dataset.id}/parts", _zip)(world, variant)


def _tenant(world: World, variant: str) -> Any:
    headers = {"Idempotency-Key": KEY}
    return world.operator.post("/v1/tenants", json={"name": variant}, headers=headers)


CALLS: dict[str, Call] = {
    "/v1/datasets/{dataset_id}/parts": _part,
    "/v1/jobs/{job_id}/predict": _predict,
    "/v1/jobs/{job_id}/recalibrate": _json(
        lambda w: f"/v1/jobs/{w.audit}/recalibrate", lambda _, v: v
    ),
    "/v1/jobs/{job_id}/claims": _json(
        lambda w: f"/v1/jobs/{w.audit}/claims", lambda _, v: {"count": len(v)}
    ),
    "/v1/keys": _json(lambda _: "/v1/keys", lambda _, v: {"name": v, "scopes": ["read"]}),
    "/v1/keys/{key_id}/rotate": _json(
        lambda w: f"/v1/keys/{w.key_id}/rotate", lambda _, v: {"overlap_seconds": len(v)}
    ),
    "/v1/tenants": _tenant,
    "/v1/datasets": _form("/v1/datasets", _zip),
    "/v1/scores": _form("/v1/scores", lambda: b"PAR1" + bytes(40) + b"PAR1"),
    "/v1/uploads": _upload,
    "/v1/jobs": _json(
        lambda _: "/v1/jobs",
        lambda world, v: {"dataset_id": str(world.dataset.id), "seed": len(v)},
    ),
    "/v1/jobs/{job_id}/cancel": _json(lambda w: f"/v1/jobs/{w.queued}/cancel", lambda _, v: v),
    "/v1/jobs/{job_id}/retry": _json(lambda w: f"/v1/jobs/{w.failed}/retry", lambda _, v: v),
    "/v1/datasets/{dataset_id}/decisions": _json(
        lambda w: w.decisions,
        lambda w, v: {"decision": "keep", "samples": w.samples[1:2], "comment": v},
    ),
    "/v1/jobs/{job_id}/promises": _json(
        lambda w: f"/v1/jobs/{w.audit}/promises",
        lambda _, v: {"kind": "stop", "alpha": 0.01 * len(v)},
    ),
    "/v1/promises/{promise_id}/answers": _json(
        lambda w: f"{w.promise}/answers",
        lambda w, v: {"sample_id": w.check, "decision": "keep", "comment": v},
    ),
    "/v1/promises/{promise_id}/accept": _json(
        lambda w: f"{w.promise}/accept", lambda _, v: {"comment": v}
    ),
    "/v1/promises/{promise_id}/close": _json(lambda w: f"{w.promise}/close", lambda _, v: v),
    "/v1/datasets/{dataset_id}/decisions/undo": _revert("undo"),
    "/v1/datasets/{dataset_id}/decisions/redo": _revert("redo"),
    "/v1/datasets/{dataset_id}/exports": _json(
        lambda w: f"/v1/datasets/{w.dataset.id}/exports",
        lambda _, v: {"format": "csv" if v == "first" else "jsonl"},
    ),
    "/v1/webhooks": _json(
        lambda _: "/v1/webhooks", lambda _, v: {"url": f"https://hooks.example.com/{v}"}
    ),
}


@pytest.fixture
def world(
    client: TestClient, make_client: MakeClient, context: AppContext, tenant: Tenant
) -> World:
    with context.database.unit_of_work() as session:
        default = AccountService(session, context.pepper).ensure_default_tenant()
    return World(client, make_client(default.id, [*Scope]), context, tenant)


@on_sqlite
def test_every_post_takes_a_key_and_is_tried_here(anonymous: TestClient) -> None:
    document = anonymous.get("/openapi.json").json()
    posts = {
        path: methods["post"] for path, methods in document["paths"].items() if "post" in methods
    }
    for path, operation in posts.items():
        names = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert "Idempotency-Key" in names, path
        assert {"409", "422"} <= set(operation["responses"]), path
    assert set(posts) == set(CALLS)


@on_sqlite
@pytest.mark.parametrize("path", CALLS)
class TestPost:
    def test_is_carried_out_once_and_answered_twice(
        self, world: World, context: AppContext, path: str
    ) -> None:
        world.prepare(path)
        first = CALLS[path](world, "first")
        assert first.is_success, first.text
        before = _rows(context)
        again = CALLS[path](world, "first")
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers.get("location") == first.headers.get("location")
        assert "idempotency-replayed" not in first.headers
        assert _rows(context) == before

    def test_of_something_else_under_the_same_key_is_a_mistake(
        self, world: World, path: str
    ) -> None:
        world.prepare(path)
        assert CALLS[path](world, "first").is_success
        reply = CALLS[path](world, "something else")
        assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_mismatch")


@on_sqlite
def test_replies_are_kept_encrypted(world: World, context: AppContext) -> None:
    secret = CALLS["/v1/webhooks"](world, "first").json()["secret"]
    with context.database.read() as session:
        [row] = session.query(IdempotencyKey)
    assert row.reply is not None
    assert secret.encode() not in row.reply
    assert b"whsec" not in row.reply


def test_a_failed_request_leaves_no_key(world: World, context: AppContext) -> None:
    body = {"url": "http://hooks.example.com"}
    reply = world.client.post("/v1/webhooks", json=body, headers={"Idempotency-Key": KEY})
    assert reply.status_code == 422
    with context.database.read() as session:
        assert session.query(IdempotencyKey).count() == 0


def _rows(context: AppContext) -> dict[str, int]:
    with context.database.read() as session:
        return {table.__name__: session.query(table).count() for table in (Dataset, Job)}
