"""The calls of `ModelCalls`, to be awaited: files are sent and written by a thread."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anyio import to_thread

from labelaudit.client import Client
from labelaudit.model_calls import ModelForm
from labelaudit.schemas import Artifact, Predictions, SigningKey


class AsyncModelCalls:
    """A part of `AsyncClient`."""

    _files: Client

    async def download_model(
        self, job_id: str, target: Path, *, form: ModelForm = "safetensors"
    ) -> None:
        """Write the trained model in one of its forms, or its card, to `target`: whole or not."""
        await to_thread.run_sync(lambda: self._files.download_model(job_id, target, form=form))

    async def list_artifacts(self, job_id: str) -> list[Artifact]:
        """Return all files of a finished job, with size and SHA-256."""
        return await to_thread.run_sync(self._files.list_artifacts, job_id)

    async def download_artifact(self, job_id: str, name: str, target: Path) -> None:
        """Write one file of a finished job to `target`: whole or not at all."""
        await to_thread.run_sync(self._files.download_artifact, job_id, name, target)

    async def download_sums(self, job_id: str, folder: Path) -> None:
        """Write `SHA256SUMS` and its signature, `SHA256SUMS.sig`, into a folder."""
        await to_thread.run_sync(self._files.download_sums, job_id, folder)

    async def signing_keys(self) -> list[SigningKey]:
        """Return the public keys that this service signs with and has signed with."""
        return await to_thread.run_sync(self._files.signing_keys)

    async def predict(
        self, job_id: str, images: Iterable[Path | str], *, top_k: int = 5
    ) -> Predictions:
        """Have the model of a finished audit classify images; see `labelaudit.Client.predict`."""
        return await to_thread.run_sync(lambda: self._files.predict(job_id, images, top_k=top_k))

    async def start_predict(
        self, job_id: str, images: Iterable[Path | str], *, top_k: int = 5, wait: float = 0
    ) -> dict[str, Any]:
        """Send the images; see `labelaudit.Client.start_predict`."""
        return await to_thread.run_sync(
            lambda: self._files.start_predict(job_id, images, top_k=top_k, wait=wait)
        )

    async def get_predictions(self, predict_job_id: str) -> Predictions:
        """Return the answer of a predict job that has succeeded."""
        return await to_thread.run_sync(self._files.get_predictions, predict_job_id)
