"""Predict jobs, without Celery: claim, children, publish. The model is a real network."""

import hashlib
import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from celery import Celery
from PIL import Image
from safetensors.torch import save
from sqlalchemy import select

import ml
from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.models import Artifact, Job, JobKind, JobState, Queue
from tests.support.engines import on_sqlite
from tests.support.factories import publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.support.tiny import COLOURS
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage
from worker.stages.predict import child as predictor
from worker.stages.predict.files import PIXELS, READ

SIDE = 8
CLASSES = ["red", "green", "blue"]
CARD: dict[str, Any] = {
    "architecture": "resnet9", "width": 8, "num_classes": 3, "classes": CLASSES,
    "image_size": [SIDE, SIDE], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2],
} | ml.describe_input(SIDE)  # fmt: skip


def picture(place: int, *, side: int = SIDE, image_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), COLOURS[place % 3]).save(file, image_format)
    return file.getvalue()


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)  # noqa: TID251 - weights of a test
        return ml.build_network("resnet9", 3, 8).eval()


@pytest.fixture
def audit(database: Database, settings: Settings, network: torch.nn.Module) -> Job:
    """A succeeded audit whose model and card are in the store."""
    weights, card = save(network.state_dict()), json.dumps(CARD).encode()
    with database.unit_of_work() as session:
        dataset = make_dataset(session, make_tenant(session).id, classes=CLASSES, image_size=SIDE)
        job = make_job(session, dataset)
        version = publish_findings(session, job, [])
        for kind, content in (("safetensors", weights), ("card", card)):
            session.add(
                Artifact(
                    tenant_id=job.tenant_id, job_id=job.id, version_id=version.id, kind=kind,
                    name=kind, sha256=hashlib.sha256(content).hexdigest(), num_bytes=len(content),
                    media_type="application/octet-stream",
                )
            )  # fmt: skip
            BlobStore(DataFolder(settings).blobs(job.tenant_id)).put(content)
    return job


def predict(
    database: Database, settings: Settings, audit: Job, images: dict[str, bytes], **options: Any
) -> tuple[Job, dict[str, Any] | None]:
    """Queue the images, run their job, and return it with its answer."""
    told = {"job_id": str(audit.id), "files": list(images), "top_k": 2} | options
    files = DataFolder(settings)
    with database.unit_of_work() as session:
        dataset = audit.dataset_id
        job = Job(
            tenant_id=audit.tenant_id, dataset_id=dataset, kind=JobKind.PREDICT, queue=Queue.CPU,
            options=told, queued_at=audit.queued_at,
        )  # fmt: skip
        session.add(job)
    folder = files.inputs(job.id)
    folder.mkdir(parents=True)
    for place, content in enumerate(images.values()):
        (folder / str(place)).write_bytes(content)
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    runner = JobRunner(database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage)
    assert runner.run_next(Queue.CPU)
    with database.read() as session:
        done = session.get_one(Job, job.id)
        artifact = session.scalar(select(Artifact).where(Artifact.kind == "predictions"))
    if artifact is None:
        return done, None
    path = BlobStore(files.blobs(audit.tenant_id)).path(artifact.sha256)
    answer: dict[str, Any] = json.loads(path.read_text())
    return done, answer


class TestPredictJob:
    def test_answers_for_every_image_as_the_network_does(
        self, database: Database, settings: Settings, audit: Job, network: torch.nn.Module
    ) -> None:
        images = {f"{place}.png": picture(place) for place in range(3)}
        images["large.jpg"] = picture(1, side=64, image_format="JPEG")
        job, answer = predict(database, settings, audit, images)
        assert (job.state, job.error_detail) == (JobState.SUCCEEDED, None)
        assert answer is not None
        assert (answer["job_id"], answer["model_job_id"]) == (str(job.id), str(audit.id))
        assert answer["classes"] == CLASSES
        assert [item["file"] for item in answer["items"]] == list(images)
        for place, item in enumerate(answer["items"][:3]):
            pixels = torch.tensor(COLOURS[place]).view(3, 1, 1).expand(3, SIDE, SIDE) / 255
            mean, std = (torch.tensor(CARD[name]).view(3, 1, 1) for name in ("mean", "std"))
            with torch.no_grad():
                expected = network(((pixels - mean) / std)[None]).softmax(1)[0].tolist()
            assert list(item["probabilities"].values()) == pytest.approx(expected, abs=1e-5)
            assert item["error"] is None
            ranked = sorted(item["probabilities"].items(), key=lambda pair: -pair[1])[:2]
            assert [(row["label"], row["probability"]) for row in item["top"]] == ranked
        assert not DataFolder(settings).job(job.id).exists()

    @on_sqlite
    def test_a_bad_image_costs_only_itself(
        self, database: Database, settings: Settings, audit: Job
    ) -> None:
        bomb = io.BytesIO()
        Image.new("1", (9000, 9000)).save(bomb, "PNG")
        images = {
            "good.png": picture(0), "empty.png": b"", "text.png": b"plain text",
            "cut.jpg": picture(1, side=64, image_format="JPEG")[:-200], "bomb.png": bomb.getvalue(),
            "page.pdf": b"%PDF-1.4", "huge.png": picture(2) + bytes(20_000), "last.png": picture(2),
        }  # fmt: skip
        small = settings.model_copy(update={"max_file_bytes": 20_000})
        job, answer = predict(database, small, audit, images)
        assert job.state is JobState.SUCCEEDED
        assert answer is not None
        codes = {item["file"]: (item["error"] or {}).get("code") for item in answer["items"]}
        assert codes == {
            "good.png": None, "empty.png": "not_an_image", "text.png": "not_an_image",
            "cut.jpg": "truncated_image", "bomb.png": "image_too_large",
            "page.pdf": "unsupported_format", "huge.png": "file_too_large", "last.png": None,
        }  # fmt: skip
        for item in answer["items"]:
            assert (item["probabilities"] is None) == (item["error"] is not None)
        first, last = (answer["items"][place]["probabilities"] for place in (0, -1))
        assert first != last

    @on_sqlite
    def test_a_model_that_is_gone_is_said(
        self, database: Database, settings: Settings, audit: Job
    ) -> None:
        with database.unit_of_work() as session:
            for artifact in session.scalars(select(Artifact)):
                session.delete(artifact)
        job, answer = predict(database, settings, audit, {"a.png": picture(0)})
        assert (job.state, job.error_code, answer) == (JobState.FAILED, "no_model", None)


CRASHING_READER = """
import os, signal, sys
import worker.stages.predict.reader as reader
real = reader.decode_image
def decode(data, **options):
    if data == b"crash":
        os.kill(os.getpid(), signal.{name})
    return real(data, **options)
reader.decode_image = decode
reader.run(reader.main)
"""


class TestCrash:
    @pytest.fixture
    def spec(self, tmp_path: Path) -> Path:
        images = [picture(0), b"crash", picture(1), b"crash", picture(2)]
        inputs = tmp_path / "inputs"
        inputs.mkdir()
        for place, content in enumerate(images):
            (inputs / str(place)).write_bytes(content)
        limits = {
            "max_files": 5, "max_file_bytes": 10_000, "max_unpacked_bytes": 10**6,
            "max_image_pixels": 10_000,
        }  # fmt: skip
        spec = {
            "out_dir": str(tmp_path), "image_size": SIDE, "num_images": 5, "inputs": str(inputs),
            "limits": limits,
        }  # fmt: skip
        file = tmp_path / "spec.json"
        file.write_text(json.dumps(spec))
        return file

    @pytest.mark.parametrize("name", ["SIGSEGV", "SIGXCPU"])
    def test_of_the_decoder_costs_only_the_image(
        self, spec: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        folder = spec.parent
        reader = folder / "crashing.py"
        reader.write_text(CRASHING_READER.format(name=name))

        def start(_module: str, file: Path) -> Any:
            command = [sys.executable, "-P", str(reader), str(file)]
            return _Started(command, folder)

        monkeypatch.setattr("worker.stages.predict.child.SandboxedReader", start)
        told = json.loads(spec.read_text())
        stop: Any = None
        predictor.finish_reading(start("", spec), told, spec, stop)
        lines = [json.loads(line) for line in (folder / READ).read_text().splitlines()]
        assert [line and line["code"] for line in lines] == [
            None, "broken_image", None, "broken_image", None,
        ]  # fmt: skip
        assert name in lines[1]["detail"]
        pixels = np.fromfile(folder / PIXELS, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)
        assert pixels[:, 0, 0].tolist() == [list(colour) for colour in COLOURS]


class _Started:
    """A reader that ends by itself."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._command, self._folder = command, folder

    def wait(self, _stop: Any) -> int:
        return subprocess.run(self._command, cwd=self._folder, timeout=60, check=False).returncode
