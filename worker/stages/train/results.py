"""What a training leaves behind: findings, report, model and its card."""

import hashlib
import platform
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file

import ml
from app.core.durable import write_json
from worker.stages.evidence_files import Judged, write_class_losses, write_evidence
from worker.stages.finding_rows import FINDINGS_FILE, FIRST_LOOK_FILE, SIGNAL, VERIFIED
from worker.stages.train.data import Labels, TrainingData
from worker.stages.train.inputs import TrainingInputs

NEIGHBOURS = "neighbour_agreement"
"""The one signal that needs features."""
TRAJECTORIES_FILE = "trajectories.parquet"
WEIGHTS, CARD = "model.safetensors", "model.json"
TORCHSCRIPT, ONNX = "model.torchscript.pt", "model.onnx"
_FORMS: dict[str, Callable[[ml.DeliveredModel, dict[str, Any], Path], None]] = {
    TORCHSCRIPT: ml.write_torchscript,
    ONNX: ml.write_onnx,
}


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """A finished training and what it was made of."""

    state: ml.TrainState
    data: TrainingData
    inputs: TrainingInputs
    choice: ml.Choice


def write_results(results: Results, spec: dict[str, Any], device: torch.device) -> None:
    """Write findings, report, model, its card and the trajectories into the attempt's folder."""
    state, data, folder = results.state, results.data, Path(spec["out_dir"])
    signals = wanted_signals(spec["options"])
    features = _features(results, device) if NEIGHBOURS in signals else None
    findings = ml.score(
        state,
        data.train_labels,
        features,
        is_copy_N=data.is_copy[data.trained_on],
        signals=signals,
    )
    findings = ml.pin(findings, data.train_labels, data.verified)
    findings = ml.mark_conflicts(findings, data.pictures, data.verified)
    test = None
    if len(data.test_labels):
        test = ml.evaluate(state, results.inputs.test, data.test_labels, device=device)
    report = ml.build_report(
        state, findings, data.train_labels, class_names=data.classes, test=test
    )
    run = _run_facts(spec, results.choice, device)
    metrics = {"accuracy": report["accuracy"], "noise_rate": report["noise_rate"]}
    missing = write_model(state, data, {"metrics": metrics, "run": run}, folder)
    report["warnings"] += missing
    write_json(folder / "report.json", report | {"run": run, "decisions": _decided(data)})
    write_findings(folder, findings, data.given_labels[data.trained_on], verified=data.verified)
    _write_losses(folder, results, findings, features)


def _features(results: Results, device: torch.device) -> npt.NDArray[np.float16]:
    """Return what a network sees in the training samples: the frozen one, or the trained one."""
    if results.inputs.features is not None:
        return results.inputs.features
    return ml.trained_features(results.state, results.inputs.train, device=device)


def wanted_signals(options: dict[str, Any]) -> Collection[str]:
    """Return the signals of a job's options: all of them unless it names some."""
    named = options.get("signals")  # younger than the other options
    return tuple(ml.SIGNALS) if named is None else tuple(named)


def _decided(data: TrainingData) -> dict[str, int]:
    """Count the decisions that this training went by."""
    return {
        "num_verified": int(data.verified.sum()),
        "num_relabelled": int((data.labels != data.given_labels)[data.trained_on].sum()),
        "num_excluded": int((data.is_excluded & data.is_train).sum()),
    }


def _write_losses(
    folder: Path,
    results: Results,
    findings: ml.Findings,
    features: npt.NDArray[np.float16] | None,
) -> None:
    """Write the losses of every epoch, for programs and for the pages of single samples."""
    data, losses = results.data, results.state.history.losses.numpy()
    write_trajectories(folder / TRAJECTORIES_FILE, losses)
    judged = Judged(
        findings=findings,
        given_label=data.given_labels[data.trained_on],
        label=data.train_labels,
        position=data.trained_on,
        num_positions=len(data.labels),
    )
    write_class_losses(folder, judged, losses, num_classes=data.num_classes)
    write_evidence(folder, judged, losses=losses, features=features)


def write_findings(
    folder: Path,
    findings: ml.Findings,
    given_label: Labels,
    *,
    verified: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Write one array per column of the findings table, rows in order of the training samples.

    Beside them, which to look at first.
    """
    if verified is None:
        verified = np.zeros(len(given_label), dtype=np.bool_)
    _write_first_look(folder, findings, ~verified)
    columns: dict[str, npt.NDArray[Any]] = {
        VERIFIED: verified,
        "rank": findings.rank,
        "given_label": given_label,
        "suggested_label": findings.suggested_label,
        "suggested_confidence": findings.suggested_confidence,
        "p_mislabeled": findings.p_mislabeled,
        "flagged": findings.flagged,
        "loss": findings.loss,
        "verdict": findings.verdict,
    }
    if findings.likely is not None:
        columns["likely_label"] = findings.likely.label
        columns["likely_probability"] = findings.likely.probability
    signals = {f"{SIGNAL}{name}": values for name, values in findings.signals.items()}
    np.savez(folder / FINDINGS_FILE, **columns, **signals)  # type: ignore[arg-type]  # numpy types only its flag


def _write_first_look(
    folder: Path, findings: ml.Findings, may_choose: npt.NDArray[np.bool_]
) -> None:
    rng = np.random.default_rng(0)  # equal audits ask for equal looks
    looks = ml.choose_first_look(findings.p_mislabeled, findings.signals["spread"], may_choose, rng)
    np.savez(folder / FIRST_LOOK_FILE, index=looks.index, by_chance=looks.by_chance)


def write_trajectories(file: Path, losses: npt.NDArray[np.float16]) -> None:
    """Write the loss of each training sample after every epoch: a row a sample, in their order.

    `losses` has the shape (epochs, samples), in nats.
    """
    values = pa.array(np.ascontiguousarray(losses.T, dtype=np.float32).ravel())
    lists = pa.FixedSizeListArray.from_arrays(values, len(losses))
    pq.write_table(pa.table({"losses": lists}), file, compression="zstd")


def _run_facts(spec: dict[str, Any], choice: ml.Choice, device: torch.device) -> dict[str, Any]:
    """Return what is needed to repeat the run."""
    return {
        "options": spec["options"],
        "preset": choice.preset,
        "preset_reason": choice.reason,
        "data_content_hash": spec["content_hash"],
        "image_size": spec["image_size"],
        "device": device.type,
        "num_threads": torch.get_num_threads(),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "labelaudit": version("labelaudit"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def write_model(
    state: ml.TrainState, data: TrainingData, facts: dict[str, Any], folder: Path
) -> list[str]:
    """Write the weights, the card with these facts, and each ready-made form that can be had.

    Returns:
        Why a form is missing, a sentence each.
    """
    weights, card = ml.export_model(state, data.classes)
    card |= ml.describe_input(data.image_size[0])
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    weights_sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    card |= facts | {"weights_sha256": weights_sha256}
    write_json(folder / CARD, card)
    model = ml.load_delivered(card, weights)
    missing = [_write_form(name, model, card, folder) for name in _FORMS]
    return [reason for reason in missing if reason is not None]


def _write_form(
    name: str, model: ml.DeliveredModel, card: dict[str, Any], folder: Path
) -> str | None:
    """Write one form, or return why not: an exporter that fails costs its form, not the audit."""
    target = folder / name
    try:
        _FORMS[name](model, card, target)
    except OSError:
        raise  # a full disk is the attempt's end, as for any other file
    except Exception as error:  # noqa: BLE001 - an exporter may fail in any way
        traceback.print_exc()  # into the attempt's log
        target.unlink(missing_ok=True)
        return f"{name} was not made: {error}"
    return None
