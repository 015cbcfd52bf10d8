"""From predictions to findings, accuracy and a report."""

from ml.scoring.curves import class_curves
from ml.scoring.detect import detect
from ml.scoring.evaluate import Evaluation, evaluate
from ml.scoring.export import export_model
from ml.scoring.findings import Findings, score
from ml.scoring.lookalikes import NOBODY, Lookalikes, find_lookalikes
from ml.scoring.pinning import pin
from ml.scoring.report import build_report
from ml.scoring.signals import SIGNALS
from ml.scoring.summary import fitted_histogram, summarise
from ml.scoring.verdict import Detection

__all__ = [
    "NOBODY",
    "SIGNALS",
    "Detection",
    "Evaluation",
    "Findings",
    "Lookalikes",
    "build_report",
    "class_curves",
    "detect",
    "evaluate",
    "export_model",
    "find_lookalikes",
    "fitted_histogram",
    "pin",
    "score",
    "summarise",
]
