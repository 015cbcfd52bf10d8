"""What the two sides of a re-calibration leave for each other."""

from typing import NamedTuple


class _Table(NamedTuple):
    file: str
    columns: tuple[str, ...]


EVIDENCE = _Table(
    "evidence.npz",
    (
        "p", "p_now", "says_wrong", "is_left", "is_random", "given_label", "suggested_label",
        "is_conflict",
    ),
)  # fmt: skip
CONFLICT = "conflict"
"""Verdict of a picture with several labels: a fact, which no decision on other samples changes."""
RESULTS = "recalibrated.npz"
CALIBRATION = "calibration.json"
REPORT = "report.json"
