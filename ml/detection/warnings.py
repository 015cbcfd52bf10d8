"""What a reader of the findings should know, in plain words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.detection.findings import Findings
from ml.detection.structure import NoiseStructure, stands_out
from ml.mixture import Mixture
from ml.types import IntArray

MANY_WRONG = 0.4
WIDE_INTERVAL = 0.05
"""From this width on the report says why the noise rate is not known better (convention)."""


def warn(findings: Findings, mixture: Mixture | None, structure: NoiseStructure) -> list[str]:
    """Return in plain words what a reader of the findings should know."""
    warnings = []
    num_unjudged = int(np.isnan(findings.p_mislabeled).sum())
    if num_unjudged:
        warnings.append(f"{num_unjudged} samples are alone in their class and were not judged.")
    low, high = findings.noise_rate_interval
    if not findings.fallback and high - low > WIDE_INTERVAL:
        warnings.append(
            f"Between {low:.0%} and {high:.0%} of the labels are wrong: predictions alone do not "
            "tell whether the network or the annotators are unsure of hard images. Decisions on "
            "samples from the whole ranking narrow that."
        )
    if findings.noise_rate > MANY_WRONG:
        warnings.append("A large share of the labels looks wrong; check how the labels were made.")
    if structure.is_structured:
        warnings.append(
            "Wrong labels are not spread evenly: some classes are taken for certain others. The "
            "class pairs show which; a rule for annotators may help more than single corrections."
        )
    if mixture is not None and mixture.fallback:
        warnings.append("The losses do not show two groups, so the mixture model was not used.")
    return warnings


def warn_of_pair(
    pairs: list[dict[str, Any]], label_N: IntArray, class_names: Sequence[str]
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
