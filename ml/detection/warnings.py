"""What a reader of the findings should know, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml.detection.findings import Findings
from ml.detection.hypotheses import UNINFORMATIVE
from ml.detection.structure import stands_out
from ml.mixture import Mixture
from ml.mixture.fit import ONE_COMPONENT
from ml.types import IntArray

MANY_WRONG = 0.4
WIDE_INTERVAL = 0.05
"""From this width on the report says why the noise rate is not known better (convention)."""


def warn(findings: Findings, mixture: Mixture | None) -> list[str]:
    """Return in plain words what a reader of the findings should know."""
    warnings = []
    num_unjudged = int(np.isnan(findings.p_mislabeled).sum())
    if num_unjudged:
        warnings.append(f"{num_unjudged} samples are alone in their class and were not judged.")
    if mixture is not None and mixture.fallback not in (None, ONE_COMPONENT):
        warnings.append(
            "The losses are too few or too equal for a mixture: its posteriors are all 0."
        )
    return warnings


def warn_of_report(
    report: Mapping[str, Any], label_N: IntArray, class_names: Sequence[str]
) -> list[str]:
    """Return what follows from a report's rates, structure and pairs alone.

    Whoever renews these parts of a report renews these sentences.
    """
    warnings = []
    low, high = report["noise_rate_interval"]
    if UNINFORMATIVE not in report["fallbacks"] and WIDE_INTERVAL < high - low < 1.0:
        warnings.append(
            f"Between {low:.0%} and {high:.0%} of the labels are wrong: predictions alone do not "
            "tell whether the network or the annotators are unsure of hard images. Thirty "
            "decisions, on the samples to look at first, narrow that."
        )
    if report["noise_rate"] > MANY_WRONG:
        warnings.append("Many of the labels may be wrong; check how the labels were made.")
    if report["noise_structure"]["is_structured"]:
        warnings.append(
            "Wrong labels are not spread evenly: some classes are taken for certain others. The "
            "class pairs show which; a rule for annotators may help more than single corrections."
        )
    return warnings + _warn_of_pair(report["class_pairs"], label_N, class_names)


def _warn_of_pair(
    pairs: Sequence[Mapping[str, Any]], label_N: IntArray, class_names: Sequence[str]
) -> list[str]:
    """Return a sentence about the largest pair of classes, where it is larger than by chance."""
    if not pairs:
        return []
    first, num_flagged = pairs[0], sum(pair["count"] for pair in pairs)
    share = float((label_N == class_names.index(first["given"])).mean())
    if not stands_out(
        first["count"],
        num_flagged=num_flagged,
        share_of_label=share,
        num_classes=len(class_names),
    ):
        return []
    sentence = (
        f"Wrong labels concentrate on one pair of classes: {first['count']} of {num_flagged} "
        f"flagged samples are given as {first['given']!r} and look like {first['suggested']!r}."
    )
    return [sentence]
