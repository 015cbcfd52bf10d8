"""All tables, so that the metadata is complete after one import."""

from app.models.api_key import ApiKey
from app.models.artifact import Artifact
from app.models.audit_entry import AuditEntry
from app.models.base import Base
from app.models.blob import Blob
from app.models.dataset import Dataset, DatasetState, RejectedFile
from app.models.decision import Decision, DecisionEntry, DecisionStep, Exclusion, StepKind
from app.models.finding import (
    CONFLICT,
    FLAGGED,
    NO_POSTERIOR,
    ODD,
    OF_SAMPLE,
    Finding,
    LossRank,
    PosteriorRank,
    ResultVersion,
    SampleRank,
    minus_posterior,
)
from app.models.folder_mark import FolderMark
from app.models.idempotency_key import IdempotencyKey
from app.models.job import (
    FINAL_STATES,
    JUDGING_KINDS,
    Job,
    JobEvent,
    JobKind,
    JobState,
    Queue,
)
from app.models.job_attempt import (
    MILLISECONDS,
    NO_STAGE,
    AttemptOutcome,
    EndedAttempts,
    JobAttempt,
)
from app.models.promise import (
    BandAction,
    Promise,
    PromiseCheck,
    PromiseKind,
    PromiseSample,
    PromiseState,
)
from app.models.published_key import PublishedKey
from app.models.review import FirstLook, ReviewClaim, SecondOpinion
from app.models.sample import DuplicateKind, Sample, Split
from app.models.tenant import Tenant
from app.models.upload import Upload
from app.models.web_session import WebSession
from app.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "CONFLICT",
    "FINAL_STATES",
    "FLAGGED",
    "JUDGING_KINDS",
    "MILLISECONDS",
    "NO_POSTERIOR",
    "NO_STAGE",
    "ODD",
    "OF_SAMPLE",
    "ApiKey",
    "Artifact",
    "AttemptOutcome",
    "AuditEntry",
    "BandAction",
    "Base",
    "Blob",
    "Dataset",
    "DatasetState",
    "Decision",
    "DecisionEntry",
    "DecisionStep",
    "DuplicateKind",
    "EndedAttempts",
    "Exclusion",
    "Finding",
    "FirstLook",
    "FolderMark",
    "IdempotencyKey",
    "Job",
    "JobAttempt",
    "JobEvent",
    "JobKind",
    "JobState",
    "LossRank",
    "PosteriorRank",
    "Promise",
    "PromiseCheck",
    "PromiseKind",
    "PromiseSample",
    "PromiseState",
    "PublishedKey",
    "Queue",
    "RejectedFile",
    "ResultVersion",
    "ReviewClaim",
    "Sample",
    "SampleRank",
    "SecondOpinion",
    "Split",
    "StepKind",
    "Tenant",
    "Upload",
    "WebSession",
    "Webhook",
    "WebhookDelivery",
    "minus_posterior",
]
