"""What the service can be asked, for the client that waits and for the one that does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from uuid import uuid4

from labelaudit.schemas import (
    Bulk,
    Dataset,
    Decision,
    Export,
    ExportStarted,
    Finding,
    Job,
    JobStarted,
    Key,
    LogEntry,
    NewKey,
    NewWebhook,
    Predictions,
    RejectedFile,
    Report,
    Sample,
    Step,
    Upload,
    Webhook,
)

A = TypeVar("A")
PAGE = 500
_SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """One request; its answer is an `A`."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method in _SAFE or "Idempotency-Key" in self.headers


@dataclass(frozen=True, slots=True)
class Listing(Generic[A]):
    """A list of `A`, page by page."""

    path: str
    filters: Mapping[str, str] = field(default_factory=dict)

    def page(self, cursor: str | None) -> Call[dict[str, Any]]:
        """Ask for the page at a cursor."""
        params = {**self.filters, "limit": str(PAGE)}
        return Call("GET", self.path, params if cursor is None else params | {"cursor": cursor})


def post(path: str, body: object = None, *, key: str | None = None) -> Call[Any]:
    """Post once, however often it must be sent; `key` makes a whole program repeatable."""
    headers = {"Idempotency-Key": key or uuid4().hex}
    return Call("POST", path, json=body, headers=headers)


def get_dataset(dataset_id: str) -> Call[Dataset]:
    """Ask for one data set."""
    return Call("GET", f"v1/datasets/{dataset_id}")


def delete_dataset(dataset_id: str) -> Call[None]:
    """Remove a data set with all that hangs on it."""
    return Call("DELETE", f"v1/datasets/{dataset_id}")


def get_sample(sample_id: str) -> Call[Sample]:
    """Ask for one sample."""
    return Call("GET", f"v1/samples/{sample_id}")


def register_upload(route: str, upload_id: str, wanted: Mapping[str, object]) -> Call[Upload]:
    """Have a whole upload made a data set, as if it had been sent to the route."""
    return post(route, {"upload_id": upload_id, **wanted})


def start_audit(
    dataset_id: str, options: Mapping[str, object], *, key: str | None = None
) -> Call[JobStarted]:
    """Audit a data set again."""
    return post("v1/jobs", {"dataset_id": dataset_id, **options}, key=key)


def get_job(job_id: str) -> Call[Job]:
    """Ask for one job."""
    return Call("GET", f"v1/jobs/{job_id}")


def cancel(job_id: str) -> Call[Job]:
    """Ask for the end of a job."""
    return post(f"v1/jobs/{job_id}/cancel")


def retry(job_id: str) -> Call[Job]:
    """Queue a failed or cancelled job again."""
    return post(f"v1/jobs/{job_id}/retry")


def get_artifacts(job_id: str) -> Call[Any]:
    """Ask for all files of a finished job."""
    return Call("GET", f"v1/jobs/{job_id}/artifacts")


def get_signing_keys() -> Call[Any]:
    """Ask for the public keys of the service."""
    return Call("GET", ".well-known/labelaudit/signing-keys")


def get_predictions(predict_job_id: str) -> Call[Predictions]:
    """Ask for what a model said of images."""
    return Call("GET", f"v1/jobs/{predict_job_id}/predictions")


def get_report(job_id: str) -> Call[Report]:
    """Ask for an audit's report."""
    return Call("GET", f"v1/jobs/{job_id}/report")


def decide(sample_id: str, decision: str, *, version: int, **details: object) -> Call[Decision]:
    """Decide on a sample as it was at `version`."""
    return Call(
        "PUT",
        f"v1/samples/{sample_id}/decision",
        json={"decision": decision, **details},
        headers={"If-Match": f'"{version}"'},
    )


def decide_many(dataset_id: str, decision: str, **details: object) -> Call[Bulk]:
    """Decide on many samples at once."""
    return post(f"v1/datasets/{dataset_id}/decisions", {"decision": decision, **details})


def undo(dataset_id: str, step_id: int | None) -> Call[Step]:
    """Undo a step."""
    return post(f"v1/datasets/{dataset_id}/decisions/undo", {"step_id": step_id})


def redo(dataset_id: str, step_id: int | None) -> Call[Step]:
    """Redo a step."""
    return post(f"v1/datasets/{dataset_id}/decisions/redo", {"step_id": step_id})


def start_export(dataset_id: str, options: Mapping[str, object]) -> Call[ExportStarted]:
    """Have a data set written for another tool."""
    return post(f"v1/datasets/{dataset_id}/exports", dict(options))


def get_export(export_id: str) -> Call[Export]:
    """Ask for one export."""
    return Call("GET", f"v1/exports/{export_id}")


def create_webhook(url: str) -> Call[NewWebhook]:
    """Have a receiver told when jobs end."""
    return post("v1/webhooks", {"url": url})


def delete_webhook(webhook_id: str) -> Call[None]:
    """Send nothing more to a receiver."""
    return Call("DELETE", f"v1/webhooks/{webhook_id}")


def create_key(name: str, scopes: list[str], options: Mapping[str, object]) -> Call[NewKey]:
    """Make an API key."""
    return post("v1/keys", {"name": name, "scopes": scopes, **options})


def revoke_key(key_id: str) -> Call[None]:
    """Make a key worthless."""
    return Call("DELETE", f"v1/keys/{key_id}")


def datasets() -> Listing[Dataset]:
    """List data sets, newest first."""
    return Listing("v1/datasets")


def jobs(filters: Mapping[str, str]) -> Listing[Job]:
    """List jobs, newest first."""
    return Listing("v1/jobs", filters)


def findings(job_id: str, filters: Mapping[str, object]) -> Listing[Finding]:
    """List what an audit found."""
    known = {name: value for name, value in filters.items() if value is not None}
    return Listing(f"v1/jobs/{job_id}/samples", {name: _text(known[name]) for name in known})


def samples(dataset_id: str) -> Listing[Sample]:
    """List the samples of a data set."""
    return Listing(f"v1/datasets/{dataset_id}/samples")


def rejected(dataset_id: str) -> Listing[RejectedFile]:
    """List the files that were not taken."""
    return Listing(f"v1/datasets/{dataset_id}/rejected")


def decisions(dataset_id: str) -> Listing[LogEntry]:
    """List the log of decisions."""
    return Listing(f"v1/datasets/{dataset_id}/decisions")


def webhooks() -> Listing[Webhook]:
    """List the receivers."""
    return Listing("v1/webhooks")


def keys() -> Listing[Key]:
    """List the API keys."""
    return Listing("v1/keys")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
