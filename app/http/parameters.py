"""What the parameters and bodies of the API mean, for the OpenAPI document.

A parameter of one name means the same everywhere; one that needs more says so at its route.
"""

from typing import Any

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
