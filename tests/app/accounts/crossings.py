"""How every route is to be called: the table behind `test_crossing`.

A new route needs an entry: its method and path as in OpenAPI, and the one scope that it asks for.
Ids in the path are filled in by their names from `tests.support.tenants.Ids`; a new kind of id
needs a field there. Add what else the call needs before its id is looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from app.accounts.schemas import Scope
from tests.support.tenants import Ids


class Kind(Enum):
    """What a caller of another tenant gets."""

    ITEM = "404, like an unknown id"
    LIST = "an answer without a foreign row"
    OWN = "something for itself: the call names nothing that could be foreign"
    OPERATOR = "403: it is for keys of the default tenant"


def _nothing(_ids: Ids) -> None:
    return None


@dataclass(frozen=True)
class Crossing:
    """One route."""

    scope: Scope
    kind: Kind = Kind.ITEM
    body: Callable[[Ids], Any] = _nothing
    """The JSON to send."""
    headers: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    """Names in the path that stand for another field of `Ids`."""
    owner_gets: int | None = None
    """Status of the owner's own call, where it is no success: there are rows, but no files."""


_TUS = {"Tus-Resumable": "1.0.0"}
_CHUNK = _TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
_KEEP = {"decision": "keep"}
_READ, _REVIEW, _WRITE, _TRAIN, _ADMIN = Scope

CROSSINGS: dict[str, Crossing] = {
    # uploads and data sets
    "POST /v1/datasets": Crossing(
        _WRITE, body=lambda ids: {"upload_id": ids.upload_id, "audit": "none"}, owner_gets=409
    ),
    "GET /v1/datasets": Crossing(_READ, Kind.LIST),
    "GET /v1/datasets/{dataset_id}": Crossing(_READ),
    "DELETE /v1/datasets/{dataset_id}": Crossing(_WRITE),
    "GET /v1/datasets/{dataset_id}/samples": Crossing(_READ),
    "GET /v1/datasets/{dataset_id}/rejected": Crossing(_READ),
    "POST /v1/datasets/{dataset_id}/parts": Crossing(
        _WRITE, body=lambda ids: {"upload_id": ids.upload_id, "audit": "none"}, owner_gets=409
    ),
    "GET /v1/samples/{sample_id}": Crossing(_READ),
    "GET /v1/samples/{sample_id}/image": Crossing(_READ, owner_gets=500),
    "OPTIONS /v1/uploads": Crossing(_WRITE, Kind.OWN),
    "POST /v1/uploads": Crossing(_WRITE, Kind.OWN, headers=_TUS | {"Upload-Length": "1"}),
    "HEAD /v1/uploads/{upload_id}": Crossing(_WRITE, headers=_TUS),
    "PATCH /v1/uploads/{upload_id}": Crossing(_WRITE, headers=_CHUNK),
    "DELETE /v1/uploads/{upload_id}": Crossing(_WRITE, headers=_TUS),
    "POST /v1/scores": Crossing(_WRITE, Kind.OWN, owner_gets=415),
    # jobs and what they find
    "POST /v1/jobs": Crossing(_TRAIN, body=lambda ids: {"dataset_id": ids.dataset_id}),
    "GET /v1/jobs": Crossing(_READ, Kind.LIST),
    "GET /v1/jobs/{job_id}": Crossing(_READ),
    "GET /v1/jobs/{job_id}/attempts": Crossing(_READ),
    "GET /v1/jobs/{job_id}/events": Crossing(_READ),
    "POST /v1/jobs/{job_id}/cancel": Crossing(_TRAIN, ids={"job_id": "waiting_job_id"}),
    "POST /v1/jobs/{job_id}/retry": Crossing(_TRAIN, ids={"job_id": "failed_job_id"}),
    "GET /v1/jobs/{job_id}/samples": Crossing(_READ),
    "GET /v1/jobs/{job_id}/samples/{sample_id}/evidence": Crossing(_READ),
    "GET /v1/jobs/{job_id}/report": Crossing(_READ, owner_gets=500),
    "GET /v1/jobs/{job_id}/model": Crossing(_READ, owner_gets=404),
    "GET /v1/jobs/{job_id}/artifacts": Crossing(_READ),
    "GET /v1/jobs/{job_id}/artifacts/SHA256SUMS": Crossing(_READ),
    "GET /v1/jobs/{job_id}/artifacts/SHA256SUMS.sig": Crossing(_READ),
    "GET /v1/jobs/{job_id}/artifacts/{name}": Crossing(
        _READ, ids={"name": "key_id"}, owner_gets=404
    ),
    "POST /v1/jobs/{job_id}/predict": Crossing(_READ, owner_gets=404),
    "GET /v1/jobs/{job_id}/predictions": Crossing(_READ, owner_gets=404),
    # learning from decisions, several reviewers
    "POST /v1/jobs/{job_id}/recalibrate": Crossing(_REVIEW, owner_gets=409),
    "GET /v1/jobs/{job_id}/review/progress": Crossing(_READ),
    "GET /v1/jobs/{job_id}/review/first-look": Crossing(_READ),
    "GET /v1/jobs/{job_id}/difference": Crossing(_READ, owner_gets=409),
    "POST /v1/jobs/{job_id}/claims": Crossing(_REVIEW, body=lambda _ids: {}),
    "GET /v1/jobs/{job_id}/claims": Crossing(_READ),
    "DELETE /v1/jobs/{job_id}/claims": Crossing(_REVIEW),
    "GET /v1/jobs/{job_id}/agreement": Crossing(_READ),
    "GET /v1/jobs/{job_id}/conflicts": Crossing(_READ),
    # promises
    "POST /v1/jobs/{job_id}/promises": Crossing(_REVIEW, body=lambda _ids: {"kind": "stop"}),
    "GET /v1/jobs/{job_id}/promises": Crossing(_READ),
    "GET /v1/promises/{promise_id}": Crossing(_READ),
    "GET /v1/promises/{promise_id}/checks": Crossing(_READ),
    "POST /v1/promises/{promise_id}/answers": Crossing(
        _REVIEW, body=lambda ids: _KEEP | {"sample_id": ids.sample_id}
    ),
    "POST /v1/promises/{promise_id}/accept": Crossing(_REVIEW, owner_gets=409),
    "POST /v1/promises/{promise_id}/close": Crossing(_REVIEW),
    # decisions and exports
    "PUT /v1/samples/{sample_id}/decision": Crossing(
        _REVIEW, body=lambda _ids: _KEEP, headers={"If-Match": "*"}
    ),
    "POST /v1/datasets/{dataset_id}/decisions": Crossing(
        _REVIEW, body=lambda ids: _KEEP | {"samples": [{"sample_id": ids.sample_id, "version": 1}]}
    ),
    "GET /v1/datasets/{dataset_id}/decisions": Crossing(_READ),
    "GET /v1/datasets/{dataset_id}/decisions/steps": Crossing(_READ),
    "POST /v1/datasets/{dataset_id}/decisions/undo": Crossing(_REVIEW, owner_gets=409),
    "POST /v1/datasets/{dataset_id}/decisions/redo": Crossing(_REVIEW, owner_gets=409),
    "POST /v1/datasets/{dataset_id}/exports": Crossing(_READ, body=lambda _ids: {"format": "csv"}),
    "GET /v1/exports/{export_id}": Crossing(_READ),
    "GET /v1/exports/{export_id}/download": Crossing(_READ, owner_gets=409),
    # administration
    "GET /v1/webhooks": Crossing(_ADMIN, Kind.LIST),
    "POST /v1/webhooks": Crossing(
        _ADMIN, Kind.OWN, body=lambda _ids: {"url": "https://example.org/"}
    ),
    "GET /v1/webhooks/{webhook_id}/deliveries": Crossing(_ADMIN),
    "DELETE /v1/webhooks/{webhook_id}": Crossing(_ADMIN),
    "GET /v1/keys": Crossing(_ADMIN, Kind.LIST),
    "POST /v1/keys": Crossing(
        _ADMIN, Kind.OWN, body=lambda _ids: {"name": "new", "scopes": ["read"]}
    ),
    "POST /v1/keys/{key_id}/rotate": Crossing(_ADMIN),
    "DELETE /v1/keys/{key_id}": Crossing(_ADMIN),
    "GET /v1/tenants": Crossing(_ADMIN, Kind.LIST),
    "POST /v1/tenants": Crossing(
        _ADMIN, Kind.OPERATOR, body=lambda _ids: {"name": "new"}, owner_gets=403
    ),
    "GET /v1/tenants/{tenant_id}": Crossing(_ADMIN),
    "PATCH /v1/tenants/{tenant_id}": Crossing(_ADMIN, body=lambda _ids: {}, owner_gets=403),
    "GET /v1/usage": Crossing(_READ, Kind.LIST),
    "GET /v1/audit-log": Crossing(_ADMIN, Kind.LIST),
}
