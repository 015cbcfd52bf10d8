"""Finished audits with all their files, as a worker would leave them."""

import json
from math import exp
from typing import Any

import numpy as np

from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.models import Dataset, Job, Sample
from tests.browser.rows import Seed
from tests.support.archives import encode_png
from tests.support.factories import make_artifact
from tests.support.service import Service

NUM_BINS = 50


def histogram(num_samples: int = 50_000, wrong: float = 0.12) -> dict[str, Any]:
    """Return two groups of losses, the wrong ones further right, and what was fitted to them."""
    middles = [(bin_ + 0.5) * 0.12 for bin_ in range(NUM_BINS)]
    clean = _scaled([exp(-6 * x) for x in middles], num_samples * (1 - wrong))
    noisy = _scaled([exp(-((x - 3.6) ** 2)) for x in middles], num_samples * wrong)
    return {
        "edges": [bin_ * 0.12 for bin_ in range(NUM_BINS + 1)],
        "counts": [round(a + b) for a, b in zip(clean, noisy, strict=True)],
        "expected_counts": {"clean": clean, "noisy": noisy},
    }


def report(classes: list[str], **values: Any) -> dict[str, Any]:
    """Return what a trainer writes; each class is taken for those after it, less and less."""
    pairs: list[dict[str, Any]] = [
        {"given": given, "suggested": classes[(place + step) % len(classes)], "count": count}
        for place, given in enumerate(classes)
        for step, count in ((1, 160 // (place + 1)), (2, 30 // (place + 1)))
        if count and step < len(classes)
    ]
    rows: list[dict[str, Any]] = [
        {
            "label": name, "num_samples": 5_000, "num_flagged": 190 // (place + 1),
            "noise_rate_estimate": 0.05 / (place + 1),
        }
        for place, name in enumerate(classes)
    ]  # fmt: skip
    defaults: dict[str, Any] = {
        "noise_rate": 0.0123, "noise_rate_interval": [0.0095, 0.0161],
        "expected_precision": 0.91, "expected_precision_interval": [0.62, 0.97],
        "expected_recall": 0.83, "expected_recall_interval": [0.41, 1.0],
        "num_samples": 50_000, "num_flagged": sum(pair["count"] for pair in pairs),
        "num_sure": 140, "num_not_judged": 0, "baseline": {"argmax_differs": 900},
        "accuracy": {"train_given_labels": 0.982, "test": 0.934, "num_test_samples": 10_000},
        "loss_histogram": histogram(), "per_class": rows,
        "class_pairs": sorted(pairs, key=lambda pair: -pair["count"]),
        "noise_structure": {"is_structured": True, "unevenness": 0.72},
        "verdicts": {
            "clean": 49_000, "off_topic": 12, "duplicate": 31, "ambiguous": 140, "hard": 265,
        },
        "fallbacks": [], "warnings": [], "epochs": [{"epoch": 1}] * 30, "mixture_per_epoch": [],
        "converged": True,
        "run": {
            "preset": "standard", "preset_reason": "no graphics card", "device": "cpu",
            "versions": {"labelaudit": "0.3.0", "torch": "2.8.0"},
        },
    }  # fmt: skip
    return defaults | values


def publish_report(service: Service, seed: Seed, job: Job, content: dict[str, Any]) -> None:
    """Store the report and a model of a job that has findings."""
    files = {
        "report": json.dumps(content).encode(),
        "safetensors": b"weights" * 1000,
        "card": b"{}",
    }
    with seed.database.unit_of_work() as session:
        session.add(job)
        for kind, bytes_ in files.items():
            make_artifact(session, job, kind, bytes_)
            _store(service, seed).put(bytes_)


def picture(service: Service, seed: Seed, dataset: Dataset) -> None:
    """Give each sample a picture of its own."""
    generator = np.random.default_rng(0)
    with seed.database.unit_of_work() as session:
        for sample in session.query(Sample).filter_by(dataset_id=dataset.id):
            coarse = generator.integers(60, 220, (4, 4, 3))
            pixels = np.kron(coarse, np.ones((24, 24, 1))).astype(np.uint8)
            sample.sha256 = _store(service, seed).put(encode_png(pixels))


def _store(service: Service, seed: Seed) -> BlobStore:
    return BlobStore(DataFolder(Settings(data_dir=service.data_dir)).blobs(seed.tenant_id))


def _scaled(shape: list[float], total: float) -> list[float]:
    return [value * total / sum(shape) for value in shape]
