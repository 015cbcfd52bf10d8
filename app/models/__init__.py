"""All tables, so that the metadata is complete after one import."""

from app.models.api_key import ApiKey
from app.models.artifact import Artifact
from app.models.base import Base
from app.models.blob import Blob
from app.models.dataset import Dataset, DatasetState, RejectedFile
from app.models.finding import Finding, ResultVersion
from app.models.job import FINAL_STATES, Job, JobEvent, JobKind, JobState, Queue
from app.models.sample import DuplicateKind, Sample, Split
from app.models.tenant import Tenant
from app.models.upload import Upload

__all__ = [
    "FINAL_STATES",
    "ApiKey",
    "Artifact",
    "Base",
    "Blob",
    "Dataset",
    "DatasetState",
    "DuplicateKind",
    "Finding",
    "Job",
    "JobEvent",
    "JobKind",
    "JobState",
    "Queue",
    "RejectedFile",
    "ResultVersion",
    "Sample",
    "Split",
    "Tenant",
    "Upload",
]
