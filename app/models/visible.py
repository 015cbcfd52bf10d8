"""What is left out wherever a caller looks: data sets that are being deleted, and their jobs."""

from sqlalchemy import exists

from app.models.dataset import Dataset, DatasetState
from app.models.job import Job

IS_KEPT = Dataset.state != DatasetState.DELETING
IS_OF_KEPT_DATASET = ~(
    exists()
    .where(Dataset.id == Job.dataset_id, Dataset.state == DatasetState.DELETING)
    .correlate(Job)
)
