"""From predictions to findings, accuracy and a report."""

from ml.detection.conflicts import Pictures, mark_conflicts
from ml.detection.detect import detect
from ml.detection.findings import Findings, pin, score
from ml.detection.learning import (
    Correction,
    FirstLook,
    WrongCount,
    choose_first_look,
    predictive_check,
    recalibrate,
)
from ml.detection.neighbours import NOBODY, Lookalikes, find_lookalikes
from ml.detection.report import (
    build_report,
    class_curves,
    fitted_histogram,
    summarise,
    warn_of_report,
)
from ml.detection.signals import SIGNALS
from ml.detection.verdict import Detection, surely_wrong, worth_a_look

__all__ = [
    "NOBODY",
    "SIGNALS",
    "Correction",
    "Detection",
    "Findings",
    "FirstLook",
    "Lookalikes",
    "Pictures",
    "WrongCount",
    "build_report",
    "choose_first_look",
    "class_curves",
    "detect",
    "find_lookalikes",
    "fitted_histogram",
    "mark_conflicts",
    "pin",
    "predictive_check",
    "recalibrate",
    "score",
    "summarise",
    "surely_wrong",
    "warn_of_report",
    "worth_a_look",
]
