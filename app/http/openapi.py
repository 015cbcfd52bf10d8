"""The OpenAPI document as it is published: what FastAPI cannot be told is added here.

A parameter of one name means the same everywhere; one that needs more says so at its route.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from app.core.errors import (
    AppError,
    ForbiddenError,
    InvalidCursorError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnauthenticatedError,
)
from app.http.errors import (
    DatabaseUnavailableError,
    IdempotencyInFlightError,
    IdempotencyMismatchError,
    PreconditionRequiredError,
    RateLimitedError,
    ValidationFailedError,
)
from app.http.middleware import METHODS
from app.http.problems import CODES, MEDIA_TYPE, TYPE_PREFIX, error_types

DESCRIPTIONS = {
    "dataset_id": "Id of a data set of yours; any other id is answered 404.",
    "job_id": "Id of a job of yours; any other id is answered 404.",
    "sample_id": "Id of a sample of yours: `s` and 16 hexadecimal digits.",
    "export_id": "Id of an export of yours; any other id is answered 404.",
    "promise_id": "Id of a promise of yours; any other id is answered 404.",
    "webhook_id": "Id of a webhook of yours; any other id is answered 404.",
    "upload_id": "Id of an upload of yours; any other id is answered 404.",
    "tenant_id": "Id of a tenant; keys of the default tenant may name any, others their own.",
    "key_id": "Id of a key, as lists show it; it is no secret.",
    "name": "Name of a file, as the list of artifacts shows it.",
    "target": "Share of wrong labels that may stay: what the stop rule aims at.",
    "against": "Id of the earlier audit of the same data set; by default the last one.",
    "limit": "How many at most.",
    "top_k": "How many of the most probable classes `top` lists.",
    "wait": "Seconds to wait for the answer; after that, 202 with the job.",
    "split": "Only samples of this split.",
    "state": "Only jobs in this state.",
    "size": "The image as it was sent, or a thumbnail.",
    "after": "Number of the last event already known; `Last-Event-ID` goes before it.",
    "last-event-id": "Number of the last event already known: the stream goes on after it.",
    "flagged": "Only samples whose label is, or is not, worth a look.",
    "sure": "Only samples whose label is, or is not, surely wrong.",
    "min_p": "Only samples whose `p_mislabeled` is at least this.",
    "max_p": "Only samples whose `p_mislabeled` is at most this.",
    "min_posterior": "Only samples whose `signals.posterior` is at least this.",
    "label": "Only samples whose given label is the class of this name.",
    "verdict": (
        "Only samples of this kind; `conflict` are those whose picture has another label too, "
        "`hard` those that are right but were hard to learn."
    ),
    "suggested_label": "Only samples for which the class of this name is suggested.",
    "decision": "Only samples with this decision; `none` for those that wait for one.",
    "sort": "The order; a minus puts the largest first.",
    "format": "The form of the file.",
    "step_id": "Only entries of this step.",
    "upload-length": "Size of the whole upload in bytes.",
    "upload-metadata": "`key base64` pairs, separated by commas; `filename` is understood.",
    "upload-offset": "Where these bytes begin: what HEAD answers as `Upload-Offset`.",
    "tus-resumable": "The version of tus that the client speaks.",
}
"""By name; headers in lower case."""

_UUID = "7f3c9b1e-5a44-4d0e-9a51-0c2f6f1f7a10"
BODIES: dict[str, dict[str, Any]] = {
    "create_dataset": {
        "upload_id": _UUID, "name": "photos", "audit": {"seed": 1},
    },
    "create_part": {"upload_id": _UUID, "name": "more photos", "audit": "none"},
    "create_scores": {"upload_id": _UUID, "name": "scores of the last model"},
    "claim": {"count": 50, "minutes": 30, "overlap": 0.1},
    "draw": {"count": 200, "seed": 1},
    "create_key": {"name": "nightly", "scopes": ["read", "write", "train"]},
    "rotate_key": {"overlap_seconds": 3600},
    "create_tenant": {"name": "radiology", "max_bytes": 500_000_000_000},
    "change_tenant": {"max_queued_jobs": 20},
    "create_job": {"dataset_id": _UUID, "seed": 1},
    "decide": {"decision": "relabel", "label": "dog", "comment": "a dog, plainly"},
    "decide_many": {
        "decision": "relabel", "accept_suggestion": True, "job_id": _UUID,
        "filter": {"sure": True}, "dry_run": True,
    },
    "open_promise": {"kind": "stop", "target_share": 0.01, "alpha": 0.05},
    "answer_check": {
        "sample_id": "s0000000000000011", "decision": "relabel", "label": "dog",
    },
    "accept_band": {"dry_run": True},
    "undo": {"step_id": 17},
    "redo": {"step_id": 17},
    "create_export": {"format": "csv", "labels": "decisions"},
    "create_webhook": {"url": "https://hooks.example.com/labelaudit"},
}  # fmt: skip
"""One JSON body that each operation takes."""


TAGS = {
    "data sets": "Labelled images, uploaded as one file. They are never changed.",
    "uploads": "Files of any size in pieces, by the tus 1.0.0 protocol: any tus client works.",
    "samples": "Single images with their labels.",
    "jobs": "Work on a data set. A job survives the death of any process.",
    "findings": "What an audit says of each training sample, its report and its model.",
    "predictions": "Images shown to the model of an audit.",
    "learning": "What decisions teach: better probabilities, what is left, when to stop.",
    "promises": "Theorems about the reviewer's eye: accept a band in bulk, stop at any time.",
    "reviewers": "Several people at one audit: shares of the queue, agreement, conflicts.",
    "administration": "Tenants, keys, what is used, and who changed what.",
    "signing keys": "Public halves of the keys that sign results; no key is needed to read them.",
    "decisions": "What reviewers decide; append-only, each step can be undone.",
    "exports": "The corrected data set for the next tool.",
    "webhooks": "Signed messages when jobs end.",
    "operation": "For load balancers and monitoring; no key is needed.",
}
DESCRIPTION = """
Send labelled images, get the probability of each label being wrong.

* **Keys**: `Authorization: Bearer KEY` on everything below `/v1`.
* **Errors** are RFC 9457 problems with a stable `code`; the guide explains each.
* **Lists** give `next_cursor` and a `Link` header. A cursor is for one list and tenant.
* **Repeating** is safe: every POST takes an `Idempotency-Key`.
* **Changes** of rows take `If-Match` with the row's `version`.
"""
_REQUIRED = {
    "tus-resumable": {"type": "string", "const": "1.0.0"},
    "if-match": {"type": "string", "examples": ['"1"']},
}
"""Headers that are asked for with an error of their own, so that FastAPI takes them as optional."""


def install(app: FastAPI) -> None:
    """Complete the document when it is first asked for."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Declare problems, tags and what every operation has in common."""
    _hoist(document, document["components"]["schemas"])
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    document["tags"] = [
        {"name": name, "description": text} for name, text in TAGS.items() if name in used
    ]
    titles = {error.code: error.title for error in error_types()}
    statuses = {error.code: error.status for error in error_types()}
    for path, method, operation in operations(document):
        _name(operation)
        for parameter in operation.get("parameters", ()):
            _complete_parameter(parameter)
        _complete_body(operation)
        _declare(operation, _common_errors(path, method, operation))
        for status, response in operation["responses"].items():
            _speak_3_1(response)
            _describe_problems(int(status), response, titles, statuses)
    return document


def _hoist(node: Any, schemas: dict[str, Any]) -> None:
    """Bring the definitions that a form's schema came with to where all others are."""
    if isinstance(node, list):
        for item in node:
            _hoist(item, schemas)
    elif isinstance(node, dict):
        for name, schema in node.pop("$defs", {}).items():
            schemas.setdefault(name, schema)
            _hoist(schema, schemas)
        reference = node.get("$ref")
        if isinstance(reference, str):
            node["$ref"] = reference.replace("#/$defs/", "#/components/schemas/")
        for value in list(node.values()):
            _hoist(value, schemas)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method, operation


def _name(operation: dict[str, Any]) -> None:
    """Shorten `create_job_v1_jobs_post` to the function's own name: clients are made from it."""
    name, _, _ = operation["operationId"].partition("_v1_")
    for ending in ("_healthz_get", "_readyz_get", "_metrics_get", "_metrics_jobs_get"):
        name = name.removesuffix(ending)
    name, _, _ = name.partition("__well_known_")
    operation["operationId"] = name


def _complete_parameter(parameter: dict[str, Any]) -> None:
    schema = _REQUIRED.get(parameter["name"].lower())
    if schema is not None:
        parameter |= {"required": True, "schema": schema}
    known = DESCRIPTIONS.get(parameter["name"].lower())
    if known is not None:
        parameter.setdefault("description", known)


def _complete_body(operation: dict[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    example = BODIES.get(operation["operationId"])
    if body is not None and example is not None:
        body.setdefault("example", example)


def _common_errors(path: str, method: str, operation: dict[str, Any]) -> list[type[AppError]]:
    if not path.startswith("/v1"):
        return []
    names = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    has_body = "requestBody" in operation
    possible: dict[type[AppError], bool] = {
        UnauthenticatedError: True,
        ForbiddenError: True,
        ValidationFailedError: True,
        DatabaseUnavailableError: True,
        RateLimitedError: True,
        AppError: True,
        InvalidRequestError: has_body,
        PayloadTooLargeError: has_body,
        InvalidCursorError: "cursor" in names,
        IdempotencyMismatchError: "idempotency-key" in names,
        IdempotencyInFlightError: "idempotency-key" in names,
        PreconditionRequiredError: method == "put" and "if-match" in names,
    }
    return [error for error, may_happen in possible.items() if may_happen]


def _declare(operation: dict[str, Any], errors: list[type[AppError]]) -> None:
    """Add errors to what the route itself declares of the same status."""
    responses = operation["responses"]
    # FastAPI's own 422 is not what is answered.
    if CODES not in responses.get("422", {}):
        responses.pop("422", None)
    for error in errors:
        codes = responses.setdefault(str(error.status), {}).setdefault(CODES, [])
        if error.code not in codes:
            codes.append(error.code)


def _speak_3_1(response: dict[str, Any]) -> None:
    """Give a stream a schema: FastAPI writes `itemSchema`, a word of OpenAPI 3.2, into 3.1."""
    for content in response.get("content", {}).values():
        if content.pop("itemSchema", None) is not None:
            content["schema"] = {
                "type": "string",
                "description": "Server-sent events, each with `id`, `event` and JSON as `data`.",
            }


def _describe_problems(
    status: int, response: dict[str, Any], titles: Mapping[str, str], statuses: Mapping[str, int]
) -> None:
    codes = response.get(CODES)
    if codes is None:
        return
    response["description"] = "; ".join(f"`{code}`: {titles[code]}" for code in codes)
    schema: dict[str, Any] = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"code": {"enum": codes}},
    }
    if status == ValidationFailedError.status:
        del schema["properties"]  # options have codes of their own, one for each
    examples = {code: {"value": _example(code, titles[code], statuses[code])} for code in codes}
    response["content"] = {MEDIA_TYPE: {"schema": schema, "examples": examples}}


def _example(code: str, title: str, status: int) -> dict[str, Any]:
    return {
        "type": f"{TYPE_PREFIX}{code}",
        "title": title,
        "status": status,
        "detail": f"{title}.",
        "code": code,
        "request_id": "5f0c2a9d1b7e4c33",
    }
