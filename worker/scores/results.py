"""What the judging of uploaded scores leaves behind."""

import hashlib
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import ml
from app.core.durable import write_json
from worker.evidence_files import Judged, write_evidence
from worker.files.names import listed
from worker.results import write_findings
from worker.scores.arrays import Scores
from worker.scores.judging import given_label_losses, judge
from worker.scores.outputs import REPORT, SUMMARY
from worker.scores.report import build_report


def write_results(folder: Path) -> None:
    """Judge what the reader left in `folder`; add findings, report and summary."""
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


def content_hash(scores: Scores) -> str:
    """Return the identity of names, labels and probabilities, however they were packed."""
    digest = hashlib.sha256(json.dumps(scores.class_names).encode())
    for array, dtype in ((scores.label, "<i8"), (scores.prob, "<f8")):
        digest.update(np.ascontiguousarray(array, dtype=dtype).data)
    return digest.hexdigest()


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
