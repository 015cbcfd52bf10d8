"""Conflicts: one picture under several labels, of which at most one is right.

That is a fact, not an estimate: it needs no probability, no threshold and no training. N of the M
samples of a data set were judged; samples show the very same picture where its number is the same.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from ml.detection.findings import Findings
from ml.detection.kinds import CONFLICT, LikelyClasses
from ml.types import BoolArray, IntArray

Labels: TypeAlias = Mapping[int, Counter[int]]
"""How many samples have each label, by picture."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pictures:
    """What is known of all M samples, and which of them were judged."""

    number: IntArray
    """The same for the very same picture, shape (M,)."""
    label: IntArray
    """Labels in force, shape (M,)."""
    judged: IntArray
    """Places of the samples that were judged among the M, shape (N,)."""


def mark_conflicts(findings: Findings, pictures: Pictures, verified_N: BoolArray) -> Findings:
    """Return findings in which pictures with several labels come first, group by group.

    All samples of these pictures but the verified ones are flagged, whatever their probability.
    Another label of the picture is suggested: the most frequent one, of equally frequent ones the
    most probable. Probabilities and rates stay what they are: those of the model.

    Args:
        findings: Verdicts on N samples.
        pictures: What these and all other samples show.
        verified_N: Labels that a person verified: no suspects, but they speak against the others.
    """
    labels = _of_torn_pictures(pictures)
    number_N = pictures.number[pictures.judged]
    is_conflict_N = np.isin(number_N, list(labels)) & ~verified_N
    if not is_conflict_N.any():
        return findings
    marked = replace(
        findings,
        flagged=findings.flagged | is_conflict_N,
        rank=_first(is_conflict_N, number_N, findings),
        verdict=np.where(is_conflict_N, CONFLICT, findings.verdict),
    )
    return _suggesting_others(marked, pictures, labels, np.flatnonzero(is_conflict_N))


def _of_torn_pictures(pictures: Pictures) -> Labels:
    """Return the labels of each picture that has several."""
    number_P, num_samples_P = np.unique(pictures.number, return_counts=True)
    is_shared_M = np.isin(pictures.number, number_P[num_samples_P > 1])
    labels: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for number, label in zip(
        pictures.number[is_shared_M].tolist(), pictures.label[is_shared_M].tolist(), strict=True
    ):
        labels[number][label] += 1
    return {number: counts for number, counts in labels.items() if len(counts) > 1}


def _first(is_conflict_N: BoolArray, number_N: IntArray, findings: Findings) -> IntArray:
    """Return ranks that put conflicts before all others, the samples of a picture together.

    Of two pictures the one comes first that has the worst label by the ranks so far.
    """
    num_pictures = int(number_N.max()) + 1
    best_P = np.full(num_pictures, len(number_N) + 1)
    np.minimum.at(best_P, number_N, findings.rank)
    order_N = np.lexsort(
        (findings.rank, np.where(is_conflict_N, best_P[number_N], 0), ~is_conflict_N)
    )
    rank_N = np.empty_like(findings.rank)
    rank_N[order_N] = np.arange(1, len(order_N) + 1)
    return rank_N


def _suggesting_others(
    findings: Findings, pictures: Pictures, labels: Labels, rows: IntArray
) -> Findings:
    suggested_N = findings.suggested_label.copy()
    confidence_N = findings.suggested_confidence.copy()
    likely = findings.likely and LikelyClasses(
        label=findings.likely.label.copy(), probability=findings.likely.probability.copy()
    )
    for row in rows.tolist():
        place = pictures.judged[row]
        counts, given = labels[int(pictures.number[place])], int(pictures.label[place])
        share = _shares(findings, row)
        others = [label for label in counts if label != given]
        chosen = min(others, key=lambda label: (-counts[label], -share.get(label, 0.0), label))
        suggested_N[row], confidence_N[row] = chosen, share.pop(chosen, 0.0)
        if likely is not None:
            rest = sorted(share.items(), key=lambda item: -item[1])[: likely.label.shape[1]]
            likely.label[row, : len(rest)] = [label for label, _ in rest]
            likely.probability[row, : len(rest)] = [each for _, each in rest]
    return replace(
        findings, suggested_label=suggested_N, suggested_confidence=confidence_N, likely=likely
    )


def _shares(findings: Findings, row: int) -> dict[int, float]:
    """Return how probable the model finds the classes that it has named for a sample."""
    share = {int(findings.suggested_label[row]): float(findings.suggested_confidence[row])}
    if findings.likely is None:
        return share
    pairs = zip(
        findings.likely.label[row].tolist(), findings.likely.probability[row].tolist(), strict=True
    )
    return dict(pairs) | share
