"""The client's calls for what an audit leaves: model, files with their hashes, predictions."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import httpx2

from labelaudit import calls
from labelaudit.connection import answer, as_text, reachable
from labelaudit.link import Connection
from labelaudit.schemas import Artifact, Predictions, SigningKey
from labelaudit.waiting import wait_for_job

ModelForm: TypeAlias = Literal["safetensors", "card", "torchscript", "onnx"]
SUMS_NAME = "SHA256SUMS"
_MAX_WAIT_SECONDS = 30
_PREDICT_TIMEOUT = httpx2.Timeout(connect=10, read=90, write=60, pool=10)


class ModelCalls(Connection):
    """A part of `Client`."""

    def download_model(self, job_id: str, target: Path, *, form: ModelForm = "safetensors") -> None:
        """Write the trained model in one of its forms, or its card, to `target`: whole or not."""
        self._download(f"v1/jobs/{job_id}/model", target, {"format": form})

    def list_artifacts(self, job_id: str) -> list[Artifact]:
        """Return all files of a finished job, with size and SHA-256."""
        return cast("list[Artifact]", self._run(calls.get_artifacts(job_id))["items"])

    def download_artifact(self, job_id: str, name: str, target: Path) -> None:
        """Write one file of a finished job to `target`: whole or not at all."""
        self._download(f"v1/jobs/{job_id}/artifacts/{name}", target, {})

    def download_sums(self, job_id: str, folder: Path) -> None:
        """Write `SHA256SUMS` and its signature, `SHA256SUMS.sig`, into a folder."""
        for name in (SUMS_NAME, f"{SUMS_NAME}.sig"):
            self.download_artifact(job_id, name, folder / name)

    def signing_keys(self) -> list[SigningKey]:
        """Return the public keys that this service signs with and has signed with."""
        return cast("list[SigningKey]", self._run(calls.get_signing_keys())["items"])

    def predict(self, job_id: str, images: Iterable[Path | str], *, top_k: int = 5) -> Predictions:
        """Have the model of a finished audit classify image files, and wait for the answer.

        Args:
            job_id: The audit.
            images: JPEG, PNG, WebP or BMP files; one that cannot be read has an `error`.
            top_k: How many classes `top` lists.

        Raises:
            LabelAuditError: There is no such model, or the prediction's own job failed.
        """
        started = self.start_predict(job_id, images, top_k=top_k, wait=_MAX_WAIT_SECONDS)
        if "items" in started:
            return cast("Predictions", started)
        predict_id = started["job_id"]
        wait_for_job(lambda of_job: self._run(calls.get_job(of_job)), predict_id)
        return self.get_predictions(predict_id)

    def start_predict(
        self, job_id: str, images: Iterable[Path | str], *, top_k: int = 5, wait: float = 0
    ) -> dict[str, Any]:
        """Send the images; return the answer, or after `wait` seconds the `job_id` that has it."""
        with ExitStack() as opened, reachable():
            files = [
                ("file", (as_text(path.name), opened.enter_context(path.open("rb"))))
                for path in map(Path, images)
            ]
            response = self._http.post(
                f"v1/jobs/{job_id}/predict",
                params={"top_k": top_k, "wait": wait},
                files=files,
                timeout=_PREDICT_TIMEOUT,
            )
        return cast("dict[str, Any]", answer(response))

    def get_predictions(self, predict_job_id: str) -> Predictions:
        """Return the answer of a predict job that has succeeded."""
        return self._run(calls.get_predictions(predict_job_id))
