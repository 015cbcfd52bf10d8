"""Which stage an attempt is at; a worker's runtime knows no stage by name."""

from app.models import Dataset, DatasetState, JobKind
from worker.runtime.stage import Stage, StageContext
from worker.stages.export.host import ExportStage
from worker.stages.ingest.host import IngestStage
from worker.stages.predict.host import PredictStage
from worker.stages.recalibrate.host import RecalibrateStage
from worker.stages.score.host import ScoreStage
from worker.stages.train.host import TrainStage


def choose_stage(context: StageContext, dataset: Dataset) -> Stage:
    """Return the stage that the attempt of `context` is at; the job works on `dataset`."""
    match context.attempt.kind:
        case JobKind.SCORE:
            return ScoreStage(context)
        case JobKind.EXPORT:
            return ExportStage(context)
        case JobKind.RECALIBRATE:
            return RecalibrateStage(context)
        case JobKind.PREDICT:
            return PredictStage(context)
        case JobKind.INGEST | JobKind.AUDIT:
            if dataset.state is DatasetState.READY:
                return TrainStage(context)
            return IngestStage(context, dataset)
