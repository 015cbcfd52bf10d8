"""What reviewers' decisions say of the probabilities, and of what is left to be found."""

from ml.review.calibration import Calibration, recalibrate
from ml.review.estimates import Remaining, estimate_remaining, review_curve

__all__ = ["Calibration", "Remaining", "estimate_remaining", "recalibrate", "review_curve"]
