"""What the two sides of a re-calibration leave for each other."""

from typing import NamedTuple


class _Table(NamedTuple):
    file: str
    columns: tuple[str, ...]


EVIDENCE = _Table(
    "evidence.npz",
    (
        "p", "p_now", "says_wrong", "is_left", "by_chance", "given_label", "suggested_label",
        "is_conflict",
    ),
)  # fmt: skip
RESULTS = "recalibrated.npz"
CALIBRATION = "calibration.json"
REPORT = "report.json"
