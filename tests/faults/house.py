"""A service to be ill-treated, and what its jobs must come to all the same."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.archives import write_tiny_zip
from tests.support.client import ServiceClient
from tests.support.processes import find_processes
from tests.support.servers import Server, postgres_server, redis_server
from tests.support.stack import EVERYTHING, Stack, running_stack
from tests.support.waiting import wait_for

LEASE_SECONDS = float(os.environ.get("FAULTS_LEASE_SECONDS", "12"))
"""By default a fifth of the real one; outages of these tests are scaled alike."""
EPOCHS = 60
LONG_EPOCHS = 240
"""Of a training that is still busy when a server has been away for a while."""
_OPTIONS = {"method": "m-dyr-h", "epochs": EPOCHS, "seed": 7}
_ENVIRONMENT = {
    "LABELAUDIT_LEASE_SECONDS": str(LEASE_SECONDS),
    "LABELAUDIT_HEARTBEAT_SECONDS": str(LEASE_SECONDS / 6),
    "LABELAUDIT_MAX_ATTEMPTS": "20",
}
Results = tuple[list[tuple[object, ...]], str]
"""Everything found about each sample, and the SHA-256 of the model."""


class House:
    """One stack, one data set, and the results of an undisturbed run."""

    def __init__(self, stack: Stack, postgres: Server | None, redis: Server | None) -> None:
        self.stack = stack
        self.mode = "embedded" if redis is None else "server"
        self._postgres, self._redis = postgres, redis
        self._clean: dict[int, Results] = {}
        self.client: ServiceClient = stack.new_client()
        archive = stack.folder / "colours.zip"
        write_tiny_zip(archive)
        self.dataset_id = self.client.upload(archive, audit="none").json()["dataset_id"]
        wait_for(self._is_ready, seconds=120, what="the data set is taken in", every=0.3)

    @property
    def postgres(self) -> Server:
        """The database server, in server mode."""
        assert self._postgres is not None
        return self._postgres

    @property
    def redis(self) -> Server:
        """The broker, in server mode."""
        assert self._redis is not None
        return self._redis

    def _is_ready(self) -> bool:
        reply = self.client.http.get(f"/v1/datasets/{self.dataset_id}")
        return bool(reply.json()["state"] == "ready")

    def audit(self, **options: object) -> str:
        """Start a training."""
        body = {"dataset_id": self.dataset_id, **_OPTIONS, **options}
        reply = self.client.http.post("/v1/jobs", json=body)
        assert reply.status_code == 202, reply.text
        job_id: str = reply.json()["job_id"]
        return job_id

    def wait_for_epoch(self, job_id: str, epoch: int) -> None:
        """Wait until a training has come this far."""
        wait_for(
            lambda: (self.client.job(job_id)["progress"]["epoch"] or 0) >= epoch,
            seconds=120, what=f"epoch {epoch}", every=0.1,
        )  # fmt: skip

    def results(self, job_id: str) -> Results:
        """Return all that a job found."""
        rows = self.client.findings(job_id, limit=500)
        found: list[tuple[object, ...]] = [
            tuple(str(row[key]) for key in sorted(row) if key not in {"version", "decision"})
            for row in rows
        ]
        artifacts = self.client.http.get(f"/v1/jobs/{job_id}/artifacts").json()["items"]
        [model] = [str(row["sha256"]) for row in artifacts if row["kind"] == "safetensors"]
        return found, model

    def clean(self, epochs: int = EPOCHS) -> Results:
        """Return the results of a run that nobody disturbs."""
        if epochs not in self._clean:
            job_id = self.audit(epochs=epochs)
            job = self.client.wait(job_id, seconds=600)
            assert (job["state"], job["attempt"]) == ("succeeded", 1)
            self._clean[epochs] = self.results(job_id)
        return self._clean[epochs]

    def assert_ended_as_if_undisturbed(
        self, job_id: str, *, seconds: float = 600
    ) -> dict[str, Any]:
        """Wait for the job's end; its results must be those of the clean run, bit for bit."""
        job = self.client.wait(job_id, seconds=seconds)
        assert job["state"] == "succeeded", job
        assert self.results(job_id) == self.clean(job["options"]["epochs"])
        return job

    def restore(self) -> None:
        """Start what a test has ended."""
        for name in EVERYTHING:
            process = self.stack.processes.get(name)
            if process is None or process.poll() is not None:
                self.stack.start(name)
        self.stack.wait_until_ready()


def trainers(job_id: str) -> list[int]:
    """Return the pids of a job's training processes."""
    return find_processes("worker.stages.train.child", job_id)


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stop processes for a while; one that is killed meanwhile stays dead."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill(pid: int) -> None:
    """End a process for good, if it is there still."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def open_house(folder: Path, mode: str, **environment: str) -> Iterator[House]:
    """Run a service: `embedded` on SQLite and files as `serve` does, or `server`."""
    with ExitStack() as servers:
        postgres = redis = None
        if mode == "server":
            postgres = servers.enter_context(postgres_server())
            redis = servers.enter_context(redis_server())
        stack = servers.enter_context(
            running_stack(
                folder,
                database_url=postgres.url if postgres else None,
                redis_url=redis.url if redis else None,
                **_ENVIRONMENT | environment,
            )
        )
        yield House(stack, postgres, redis)
