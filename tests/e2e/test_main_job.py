"""The main job through the real program: upload, train, read, download."""

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load

from labelaudit import Client
from tests.support.archives import write_tiny_zip
from tests.support.processes import run_to_end
from tests.support.service import Service
from tests.support.tiny import tiny_images

AUDIT = '{"epochs": 12, "seed": 1}'
CLASSES = ["rot", "grün", "蓝"]
GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "model.md").read_text()
BASH, PYTHON = (
    re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) for language in ("bash", "python")
)


@pytest.fixture(scope="module")
def wrong_paths() -> set[str]:
    return set()


@pytest.fixture(scope="module")
def job(
    service: Service, tmp_path_factory: pytest.TempPathFactory, wrong_paths: set[str]
) -> dict[str, Any]:
    """Return a finished audit of 240 images and one text file that calls itself an image."""
    archive = tmp_path_factory.mktemp("upload") / "colours.zip"
    wrong_paths |= write_tiny_zip(archive, num_test=30, classes=CLASSES)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("set/train/rot/liar.png", b"plain text")
    reply = service.upload(archive, audit=AUDIT)
    assert reply.status_code == 202
    assert reply.headers["location"] == f"/v1/jobs/{reply.json()['job_id']}"
    return service.wait(reply.json()["job_id"])


class TestMainJob:
    def test_succeeds_in_one_attempt(self, job: dict[str, Any]) -> None:
        assert (job["state"], job["kind"], job["attempt"]) == ("succeeded", "audit", 1)
        assert job["progress"]["fraction"] == 1.0

    def test_takes_all_images_and_names_what_is_none(
        self, service: Service, job: dict[str, Any]
    ) -> None:
        dataset = service.http.get(f"/v1/datasets/{job['dataset_id']}").json()
        assert (dataset["state"], dataset["num_samples"]) == ("ready", 270)
        assert dataset["splits"] == {"train": 240, "test": 30}
        assert sorted(dataset["classes"]) == sorted(CLASSES)
        rejected = service.http.get(f"/v1/datasets/{job['dataset_id']}/rejected").json()["items"]
        assert [row["path"] for row in rejected] == ["set/train/rot/liar.png"]

    def test_gives_every_training_sample_once_worst_first(
        self, service: Service, job: dict[str, Any]
    ) -> None:
        rows = service.findings(job["id"], limit=7)
        assert len({row["sample_id"] for row in rows}) == len(rows) == 240
        assert [row["rank"] for row in rows] == list(range(1, 241))
        chances = [row["p_mislabeled"] for row in rows]
        assert chances == sorted(chances, reverse=True)

    def test_flags_the_planted_errors(
        self, service: Service, job: dict[str, Any], wrong_paths: set[str]
    ) -> None:
        flagged = {row["path"] for row in service.findings(job["id"], flagged="true", limit=5)}
        assert len(flagged & wrong_paths) >= 0.9 * len(wrong_paths)
        assert len(flagged & wrong_paths) >= 0.9 * len(flagged)

    def test_shows_the_image_of_a_suspect(self, service: Service, job: dict[str, Any]) -> None:
        [worst] = service.findings(job["id"], limit=500)[:1]
        image = service.http.get(f"/v1/samples/{worst['sample_id']}/image", params={"size": "full"})
        assert image.headers["content-type"] == "image/png"
        sample = service.http.get(f"/v1/samples/{worst['sample_id']}").json()
        assert hashlib.sha256(image.content).hexdigest() == sample["sha256"]

    def test_offers_report_model_and_card(self, service: Service, job: dict[str, Any]) -> None:
        report = service.http.get(f"/v1/jobs/{job['id']}/report").json()
        assert report["accuracy"]["test"] > 0.9
        model = service.http.get(f"/v1/jobs/{job['id']}/model", params={"format": "safetensors"})
        artifacts = service.http.get(f"/v1/jobs/{job['id']}/artifacts").json()["items"]
        hashes = {row["kind"]: row["sha256"] for row in artifacts}
        assert hashlib.sha256(model.content).hexdigest() == hashes["safetensors"]
        assert load(model.content)
        card = service.http.get(f"/v1/jobs/{job['id']}/model", params={"format": "card"}).json()
        assert card["weights_sha256"] == hashes["safetensors"]

    def test_tells_its_story_again_to_late_listeners(
        self, service: Service, job: dict[str, Any]
    ) -> None:
        story = service.events(job["id"])
        assert story.count("event: epoch") == 12
        assert '"succeeded"' in story

    def test_audits_the_same_data_set_again_with_the_same_result(
        self, service: Service, job: dict[str, Any]
    ) -> None:
        body = {"dataset_id": job["dataset_id"], "epochs": 12, "seed": 1}
        reply = service.http.post("/v1/jobs", json=body)
        again = service.wait(reply.json()["job_id"])
        assert again["state"] == "succeeded"
        first, second = (
            [(row["sample_id"], row["p_mislabeled"]) for row in service.findings(job_id, limit=500)]
            for job_id in (job["id"], again["id"])
        )
        assert first == second


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, (service.data_dir / "api-key").read_text()) as client:
        yield client


@pytest.fixture(scope="module")
def folder(client: Client, job: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Download everything that the audit left."""
    folder = tmp_path_factory.mktemp("model-out")
    for artifact in client.list_artifacts(job["id"]):
        client.download_artifact(job["id"], artifact["name"], folder / artifact["name"])
    client.download_sums(job["id"], folder)
    return folder


class TestModelOut:
    """The guide's steps: files, hashes, signature, predictions."""

    def test_every_form_is_there(self, client: Client, job: dict[str, Any], folder: Path) -> None:
        names = {path.name for path in folder.iterdir()}
        assert names >= {"model.safetensors", "model.json", "model.torchscript.pt", "model.onnx"}
        client.download_model(job["id"], folder / "again.onnx", form="onnx")
        assert (folder / "again.onnx").read_bytes() == (folder / "model.onnx").read_bytes()
        (folder / "again.onnx").unlink()

    def test_the_hashes_and_their_signature_verify_as_the_guide_says(
        self, service: Service, folder: Path
    ) -> None:
        [verify] = [block for block in BASH if "pkeyutl" in block]
        script = f"export URL={service.url}\n{verify}"
        assert _bash(script, folder).returncode == 0, _bash(script, folder).stderr
        [in_python] = [block for block in PYTHON if "Ed25519PublicKey" in block]
        command = [
            sys.executable,
            "-I",
            "-c",
            in_python.replace("http://127.0.0.1:8000", service.url),
        ]
        assert subprocess.run(command, cwd=folder, check=False).returncode == 0
        sums = folder / "SHA256SUMS"
        good = sums.read_bytes()
        sums.write_bytes(good.replace(b"model.onnx", b"model.0nnx"))
        assert _bash(script, folder).returncode != 0
        assert subprocess.run(command, cwd=folder, check=False, stderr=-3).returncode != 0
        sums.write_bytes(good)
        card = folder / "model.json"
        card.write_bytes(card.read_bytes() + b" ")
        assert _bash(script, folder).returncode != 0

    def test_the_model_classifies_images_and_names_the_broken_one(
        self, service: Service, client: Client, job: dict[str, Any], tmp_path: Path
    ) -> None:
        images, truth = tiny_images(6, seed=9)
        paths = [tmp_path / f"{number}.png" for number in range(6)]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path)
        liar = tmp_path / "liar.png"
        liar.write_bytes(b"plain text")
        answer = client.predict(job["id"], [*paths, liar], top_k=1)
        assert answer["model_job_id"] == job["id"]
        labels = [item["top"][0]["label"] for item in answer["items"][:6]]
        assert labels == [CLASSES[label] for label in truth]
        last = answer["items"][-1]
        assert last["error"] is not None
        assert (last["file"], last["error"]["code"]) == ("liar.png", "not_an_image")
        assert client.get_predictions(answer["job_id"]) == answer
        done = service.job(answer["job_id"])
        assert (done["kind"], done["state"]) == ("predict", "succeeded")


def _bash(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return run_to_end(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
    )  # fmt: skip


def _broken_archives(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Return uploads and the code that each must get."""
    good = folder / "good.zip"
    write_tiny_zip(good, num_train=30)
    empty = folder / "empty.zip"
    zipfile.ZipFile(empty, "w").close()
    lonely = folder / "lonely.zip"
    write_tiny_zip(lonely, num_train=30, classes=["one", "one", "one"])
    return {
        "empty": (empty.read_bytes(), "empty_archive"),
        "one class": (lonely.read_bytes(), "too_few_classes"),
        "cut off": (good.read_bytes()[:-500], "truncated_archive"),
    }


class TestBadArchive:
    @pytest.mark.parametrize("kind", ["empty", "one class", "cut off"])
    def test_ends_the_job_with_its_own_code(
        self, service: Service, tmp_path: Path, kind: str
    ) -> None:
        content, code = _broken_archives(tmp_path)[kind]
        upload = tmp_path / "upload.zip"
        upload.write_bytes(content)
        job = service.wait(service.upload(upload).json()["job_id"], seconds=60)
        assert (job["state"], job["error"]["code"]) == ("failed", code)
        assert service.http.get(f"/v1/datasets/{job['dataset_id']}").json()["state"] == "failed"

    def test_is_refused_at_once_if_it_is_no_archive(self, service: Service, tmp_path: Path) -> None:
        upload = tmp_path / "notes.zip"
        upload.write_bytes(b"just some text" * 100)
        reply = service.upload(upload)
        assert (reply.status_code, reply.json()["code"]) == (422, "unknown_archive")
