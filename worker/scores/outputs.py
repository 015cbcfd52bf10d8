"""What the children of an attempt at scores leave for the supervisor, besides the findings."""

LABELS = "labels.npy"
"""By the reader."""
SUMMARY = "summary.json"
REPORT = "report.json"
