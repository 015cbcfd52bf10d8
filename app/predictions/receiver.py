"""One request for predictions: images to disk, a job, and a wait for its end.

The images go to a private folder on the data volume, one file each.
"""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn
from uuid import UUID, uuid4

import anyio
from anyio import to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.orm import Session

from app.accounts.auth import Reader
from app.accounts.idempotency import OnceDep, RepeatedError, StoredReply
from app.accounts.quotas import ByteReservation, Quotas
from app.core.disk import require_space
from app.core.durable import sync_folder
from app.core.storage import DataFolder
from app.datasets.schemas import MissingFileError
from app.http.bodies import FormReader, PartHead, announced_bytes, body_batches
from app.http.deps import ContextDep
from app.jobs.events import EventHub
from app.jobs.upload_form import clean_file_name
from app.models import FINAL_STATES, Artifact, Job, JobState
from app.predictions.schemas import (
    PredictionFailedError,
    PredictionStarted,
    PredictOptions,
    TooManyImagesError,
)
from app.predictions.service import PredictionService

_PART = "file"


class IncomingImages:
    """Takes the parts of a form until they are published or discarded. No image is looked at."""

    def __init__(
        self,
        folder: DataFolder,
        *,
        max_files: int,
        min_free_bytes: int,
        cover: Callable[[int], None],
    ) -> None:
        """Create the folder.

        Before bytes are written, `cover` is told how many there will be, and may refuse them.

        Raises:
            NoSpaceError: The volume is full, up to the reserve.
        """
        self._volume = folder.incoming
        self._min_free_bytes = min_free_bytes
        self._max_files = max_files
        self._cover = cover
        require_space(self._volume, 0, min_free_bytes=min_free_bytes)
        # Its name is one that the sweeper removes, should this process die now.
        self._folder = self._volume / f"{uuid4().hex}.part"
        self._folder.mkdir(mode=0o700)
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self.num_bytes = 0
        self.names: list[str] = []
        self.sha256s: list[str] = []

    def begin(self, head: PartHead) -> None:
        """Get ready for an image.

        Raises:
            RequestValidationError: The part has another name.
            TooManyImagesError: It is one too many.
        """
        if head.name != _PART:
            _refuse(head.name)
        if len(self.names) == self._max_files:
            raise TooManyImagesError(f"A request may have {self._max_files} images.")
        self._file = (self._folder / str(len(self.names))).open("xb")
        self._digest = hashlib.sha256()
        self.names.append(clean_file_name(head.filename))

    def write(self, chunk: memoryview) -> None:
        """Take some of its bytes.

        Raises:
            NoSpaceError: The volume is full, up to the reserve.
        """
        self._cover(self.num_bytes + len(chunk))
        require_space(self._volume, len(chunk), min_free_bytes=self._min_free_bytes)
        if self._file is not None:
            self._file.write(chunk)
        self._digest.update(chunk)
        self.num_bytes += len(chunk)

    def end(self) -> None:
        """Know that it is whole, and have it on disk."""
        if self._file is not None:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
        self._file = None
        self.sha256s.append(self._digest.hexdigest())

    def require_images(self) -> None:
        """Go on only with at least one image.

        Raises:
            MissingFileError: There was none.
        """
        if not self.names:
            raise MissingFileError(f"The form has no part named `{_PART}`.")

    def publish(self, target: Path) -> None:
        """Give the folder its name, durably."""
        sync_folder(self._folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._folder.replace(target)
        sync_folder(target.parent)

    def discard(self) -> None:
        """Remove the folder, unless it was published."""
        if self._file is not None:
            self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _refuse(field: str) -> NoReturn:
    message = f"There is no such field: send each image as `{_PART}`."
    raise RequestValidationError(
        [{"type": "extra_forbidden", "loc": ("body", field), "msg": message}]
    )


class PredictionReceiver:
    """Takes images in and registers their job."""

    def __init__(
        self, request: Request, caller: Reader, context: ContextDep, once: OnceDep
    ) -> None:
        """Serve one request."""
        self._once = once
        self._request = request
        self._tenant_id = caller.tenant_id
        self._context = context
        self._reservation = ByteReservation(
            context.tenant_database(caller.tenant_id), caller.tenant_id, context.settings
        )

    async def submit(self, job_id: str, *, top_k: int) -> tuple[UUID, bool]:
        """Return the id of the job that shows the images, and whether it was there already.

        Raises:
            AppError: There is no such model, or the form is not acceptable.
        """
        await to_thread.run_sync(self._require_model, job_id)
        async with self._receive() as images:
            options = PredictOptions(job_id=job_id, files=images.names, top_k=top_k)
            try:
                return await to_thread.run_sync(self._register, images, options), False
            except RepeatedError as repeated:  # its job may have an answer by now
                return PredictionStarted.model_validate_json(repeated.reply.body).job_id, True

    async def wait(self, job_id: UUID, *, seconds: float) -> bytes | None:
        """Return the answer, or None where it is not there in time.

        Raises:
            PredictionFailedError: The job ended without one.
        """
        hub: EventHub = self._request.app.state.event_hub
        with anyio.move_on_after(seconds), hub.watch(job_id) as watch:
            while True:
                changed = watch.changed
                job, artifact = await to_thread.run_sync(self._look, job_id)
                if artifact is not None:
                    return await to_thread.run_sync(self.read, artifact)
                if job.state in FINAL_STATES:
                    error = {"code": job.error_code or job.state.value, "detail": job.error_detail}
                    raise PredictionFailedError(
                        job.error_detail or f"The job is {job.state}.",
                        job_id=str(job_id),
                        error=error,
                    )
                await changed.wait()
        return None

    def answer(self, job_id: str) -> bytes:
        """Return the answer of an earlier request.

        Raises:
            AppError: There is none, or not yet.
        """
        with self._context.tenant_database(self._tenant_id).read() as session:
            artifact = self._service(session).answer(job_id)
        return self.read(artifact)

    def read(self, artifact: Artifact) -> bytes:
        """Return the bytes of an answer; they are few."""
        blobs = self._context.blobs(self._tenant_id)
        return b"".join(blobs.read(artifact.sha256, 0, artifact.num_bytes))

    @asynccontextmanager
    async def _receive(self) -> AsyncIterator[IncomingImages]:
        limit = self._context.settings.max_predict_bytes
        expected = announced_bytes(self._request, max_bytes=limit)
        async with self._opened(expected) as images:
            reader = FormReader(self._request.headers.get("content-type", ""), images)
            async with aclosing(body_batches(self._request, max_bytes=limit)) as batches:
                async for batch in batches:
                    await to_thread.run_sync(reader.feed, batch)
            reader.finish()
            images.require_images()
            yield images

    @asynccontextmanager
    async def _opened(self, expected_bytes: int) -> AsyncIterator[IncomingImages]:
        try:
            images = await to_thread.run_sync(self._open, expected_bytes)
            try:
                yield images
            finally:
                # Shielded: a client that hangs up must not leave its bytes behind.
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(images.discard)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._reservation.release)

    def _open(self, expected_bytes: int) -> IncomingImages:
        settings = self._context.settings
        self._reservation.cover(max(expected_bytes, 1))
        return IncomingImages(
            self._context.folder,
            max_files=settings.max_predict_files,
            min_free_bytes=settings.min_free_bytes,
            cover=self._reservation.cover,
        )

    def _require_model(self, job_id: str) -> None:
        with self._context.tenant_database(self._tenant_id).read() as session:
            self._service(session).require_model(job_id)

    def _register(self, images: IncomingImages, options: PredictOptions) -> UUID:
        """Give the images their place and the database its row: both or neither."""
        new_id = uuid4()
        target = self._context.folder.inputs(new_id)
        wanted = self._once.hash(self._request.url.path, options.model_dump_json(), images.sha256s)
        try:
            with self._context.tenant_database(self._tenant_id).unit_of_work() as session:
                self._once.reserve(session, wanted)
                quotas = Quotas(session, self._tenant_id, self._context.settings)
                self._reservation.settle(session, images.num_bytes)
                self._service(session, quotas).submit(
                    options, new_id=new_id, num_bytes=images.num_bytes
                )
                self._once.remember(session, _reply_of(new_id))
                images.publish(target)  # before the commit: no row without its files
        except BaseException:
            shutil.rmtree(target.parent, ignore_errors=True)
            raise
        return new_id

    def _look(self, job_id: UUID) -> tuple[Job, Artifact | None]:
        with self._context.tenant_database(self._tenant_id).read() as session:
            service = self._service(session)
            job = service.state(job_id)
            done = job.state is JobState.SUCCEEDED
            return job, service.answer(str(job_id)) if done else None

    def _service(self, session: Session, quotas: Quotas | None = None) -> PredictionService:
        wake_ups = self._context.wake_ups
        return PredictionService(session, self._tenant_id, wake_ups, quotas=quotas)


def _reply_of(job_id: UUID) -> StoredReply:
    """Return by what repetitions find the job."""
    return StoredReply(202, {}, started(job_id).model_dump_json().encode())


def started(job_id: UUID) -> PredictionStarted:
    """Return the answer where the job's own is not there in time."""
    return PredictionStarted(job_id=job_id, url=f"/v1/jobs/{job_id}/predictions")
