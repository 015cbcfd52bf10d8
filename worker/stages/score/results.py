"""Judging uploaded scores: findings, report and summary."""

import hashlib
import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import ml
from app.core.durable import write_json
from ml.detection.report import MANY_WRONG
from ml.training.history import MixtureSummary, loss_histogram
from worker.files.names import listed
from worker.stages.evidence_files import Judged, write_evidence
from worker.stages.score.arrays import REPORT, SUMMARY, FloatArray, IntArray, Scores
from worker.stages.train.results import write_findings

UPLOADED = 0
"""The number of the epoch in the report; nothing was trained."""
_LOOKS_SWAPPED = "Are labels and columns of probabilities in the same order?"
_UNINFORMATIVE = (
    "The probabilities explain the labels no better than the class sizes do; are they of a trained "
    "model, and in the order of the labels?"
)
MIN_PROBABILITY = 1e-8
"""Keeps the loss finite where the probability of the label is 0."""


def write_results(folder: Path) -> None:
    """Judge the scores that the reader left in `folder`; write findings, report and summary."""
    scores = Scores.load(folder)
    losses = given_label_losses(scores)
    mixture = ml.fit_mixture(losses)
    findings = judge(scores, losses, mixture)
    report = build_report(scores, findings, mixture)
    digest = content_hash(scores)
    write_findings(folder, findings, scores.label)
    if scores.feature is not None:
        _write_lookalikes(folder, scores, findings)
    write_json(folder / REPORT, report | {"run": _run_facts(scores, digest)})
    summary = {
        "classes": scores.class_names,
        "content_hash": digest,
        "warnings": _left_out_warnings(scores),
    }
    write_json(folder / SUMMARY, summary)


def judge(scores: Scores, losses: FloatArray, mixture: ml.Mixture) -> ml.Findings:
    """Judge every given label; `losses` and `mixture` are of these scores."""
    signals = {
        "posterior": mixture.posterior(losses),
        "probability_margin": _margin(scores.prob, scores.label),
    }
    detection = ml.detect(scores.prob, scores.label, scores.feature)
    return ml.Findings.of(detection, scores.label, loss=losses, signals=signals)


def given_label_losses(scores: Scores) -> FloatArray:
    """Return -log of the probability of each given label, shape (N,), in nats."""
    given = scores.prob[np.arange(len(scores.label)), scores.label]
    return np.asarray(-np.log(np.maximum(given, MIN_PROBABILITY)))


def _margin(prob: FloatArray, label: IntArray) -> FloatArray:
    """Return the margin of the given label over the best other one, -1 to 1, shape (N,)."""
    others = prob.copy()
    rows = np.arange(len(label))
    others[rows, label] = -1.0
    return np.asarray(prob[rows, label] - others.max(axis=1))


def build_report(scores: Scores, findings: ml.Findings, mixture: ml.Mixture) -> dict[str, Any]:
    """Return the report, as strict JSON; `mixture` is fitted to the losses."""
    summary = ml.summarise(
        findings,
        scores.label,
        predicted_N=scores.prob.argmax(axis=1),
        class_names=scores.class_names,
        mixture=mixture,
        histogram=loss_histogram(findings.loss),
    )
    warnings = {
        _LOOKS_SWAPPED: findings.noise_rate > MANY_WRONG,
        _UNINFORMATIVE: findings.fallback is not None,
    }
    return summary | {
        "epochs": [],
        "mixture_per_epoch": [{"epoch": UPLOADED} | asdict(MixtureSummary.of(mixture))],
        "converged": mixture.converged,
        "warnings": summary["warnings"] + [text for text, applies in warnings.items() if applies],
    }


def content_hash(scores: Scores) -> str:
    """Return the hash of names, labels and probabilities, independent of the file format."""
    digest = hashlib.sha256(json.dumps(scores.class_names).encode())
    for array, dtype in ((scores.label, "<i8"), (scores.prob, "<f8")):
        digest.update(np.ascontiguousarray(array, dtype=dtype).data)
    return digest.hexdigest()


def _write_lookalikes(folder: Path, scores: Scores, findings: ml.Findings) -> None:
    rows = np.arange(len(scores.label))
    judged = Judged(
        findings=findings,
        given_label=scores.label,
        label=scores.label,
        position=rows,
        num_positions=len(rows),
    )
    no_epochs = np.empty((0, len(rows)), dtype=np.float16)
    write_evidence(folder, judged, losses=no_epochs, features=scores.feature)


def _left_out_warnings(scores: Scores) -> list[str]:
    if not scores.ignored:
        return []
    return [f"Left out, since nothing here has such a name: {listed(scores.ignored)}."]


def _run_facts(scores: Scores, digest: str) -> dict[str, Any]:
    """Return what is needed to repeat the run."""
    return {
        "data_content_hash": digest,
        "left_out": scores.ignored,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "labelaudit": version("labelaudit"),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }
