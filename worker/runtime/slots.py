"""How many jobs a worker runs at once: one for each GPU, each with a GPU of its own."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

from app.core.settings import Settings
from app.models import Queue

_NO_GPU = ""
_ASK_SECONDS = 30.0


class Slots:
    """Hands out devices; a job holds one from its claim to its end."""

    def __init__(self, devices: Sequence[str | None]) -> None:
        """Have one slot for each device; None stands for whatever the machine has."""
        self._num = len(devices)
        self._free: SimpleQueue[str | None] = SimpleQueue()
        for device in devices:
            self._free.put(device)

    @classmethod
    def of(cls, queue: Queue, settings: Settings) -> "Slots":
        """Return the slots of a worker: trainings share the GPUs, short work sees none."""
        if queue is Queue.CPU:
            return cls([_NO_GPU])
        return cls(gpus_of(settings.gpus, os.environ) or [None])

    def __len__(self) -> int:
        return self._num

    @contextmanager
    def take(self) -> Iterator[str | None]:
        """Hold a device; waits for one while all are taken."""
        device = self._free.get()
        try:
            yield device
        finally:
            self._free.put(device)


def gpus_of(setting: str | None, environ: Mapping[str, str]) -> list[str]:
    """Return the ids of the GPUs to use: as set, as CUDA is told, or all that the driver names."""
    for listed in (setting, environ.get("CUDA_VISIBLE_DEVICES")):
        if listed is not None:
            return [name.strip() for name in listed.split(",") if name.strip() not in {"", "-1"}]
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],  # noqa: S607 - the driver's, wherever it lies
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.split()
