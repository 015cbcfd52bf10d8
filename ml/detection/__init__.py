"""From predictions to findings, accuracy and a report."""

from ml.detection.curves import class_curves
from ml.detection.detect import detect
from ml.detection.export import export_model
from ml.detection.findings import Findings, score
from ml.detection.first_look import FirstLook, choose_first_look
from ml.detection.flags import surely_wrong, worth_a_look
from ml.detection.learning import (
    Correction,
    WrongCount,
    predictive_check,
    recalibrate,
)
from ml.detection.lookalikes import NOBODY, Lookalikes, find_lookalikes
from ml.detection.pinning import pin
from ml.detection.report import build_report
from ml.detection.signals import SIGNALS
from ml.detection.summary import fitted_histogram, summarise
from ml.detection.verdict import Detection
from ml.detection.warnings import warn_of_report

__all__ = [
    "NOBODY",
    "SIGNALS",
    "Correction",
    "Detection",
    "Findings",
    "FirstLook",
    "Lookalikes",
    "WrongCount",
    "build_report",
    "choose_first_look",
    "class_curves",
    "detect",
    "export_model",
    "find_lookalikes",
    "fitted_histogram",
    "pin",
    "predictive_check",
    "recalibrate",
    "score",
    "summarise",
    "surely_wrong",
    "warn_of_report",
    "worth_a_look",
]
