"""Labels that people have verified are no suspects, whatever the network thinks of them."""

from dataclasses import replace

import numpy as np

from ml.detection.findings import Findings
from ml.detection.intervals import UNKNOWN
from ml.detection.verdict import rank_by
from ml.types import BoolArray, IntArray

UNPINNED = "p_unpinned"
"""Signal: what the training made of a label before it was pinned."""


def pin(findings: Findings, labels_N: IntArray, verified_N: BoolArray) -> Findings:
    """Return findings in which verified labels have probability 0 and no flag.

    Rates are those of the labels as they are now: a verified one counts as right. What hypotheses
    say of the flags that are left is not known here, so their quality has no interval.

    Args:
        findings: Verdicts on N labels.
        labels_N: Those labels, shape (N,): where verified, the decided ones.
        verified_N: Which were verified, shape (N,).
    """
    if not verified_N.any():
        return findings
    p_N = np.where(verified_N, 0.0, findings.p_mislabeled)
    flagged_N = findings.flagged & ~verified_N
    num_judged = int((~np.isnan(p_N)).sum())
    num_expected, num_found = float(np.nansum(p_N)), float(p_N[flagged_N].sum())
    open_share = 1.0 - float(verified_N.sum()) / max(num_judged, 1)
    low, high = findings.noise_rate_interval
    return replace(
        findings,
        p_mislabeled=p_N,
        suggested_label=np.where(verified_N, labels_N, findings.suggested_label),
        suggested_confidence=np.where(verified_N, 1.0, findings.suggested_confidence),
        flagged=flagged_N,
        sure=findings.sure & ~verified_N,
        rank=rank_by(p_N),
        signals=findings.signals | {UNPINNED: np.nan_to_num(findings.p_mislabeled)},
        noise_rate=num_expected / max(num_judged, 1),
        noise_rate_interval=(low * open_share, high * open_share),
        expected_precision=num_found / int(flagged_N.sum()) if flagged_N.any() else None,
        expected_precision_interval=UNKNOWN,
        expected_recall=num_found / num_expected if num_expected > 0.0 else None,
        expected_recall_interval=UNKNOWN,
    )
