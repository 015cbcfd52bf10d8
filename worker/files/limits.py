"""How much of this machine one upload may use."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worker.files.errors import FailureCode, UploadError
from worker.processes.child import StopRequest

SafePoint = Callable[[], None]
"""Called between two steps; raises an error when the work has to stop."""

_MIB = 1024**2
_RATIO_CHECKED_FROM_BYTES = 64 * _MIB
_MAX_RATIO = 200
"""Deflate reaches 1,000 on zeros; uncompressed bitmaps of real pictures stay below 20."""
_MEMORY_BYTES = 2048 * _MIB
"""Room for the interpreter and for decoding the largest allowed picture several times over."""
_MEMORY_BYTES_PER_FILE = 4096
"""Room for an entry of the table of contents and for a sample, with long names."""
OPEN_FILES = 128
_CPU_SECONDS = 600.0
_CPU_SECONDS_PER_MIB = 4.0
"""Small JPEGs need most time per byte: 0.25 s per MiB."""
_CPU_GRACE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The operator's bounds on one upload."""

    max_files: int
    max_file_bytes: int
    max_unpacked_bytes: int
    max_image_pixels: int

    @classmethod
    def from_spec(cls, values: dict[str, Any]) -> "Limits":
        """Read the spec's `limits`."""
        return cls(**{name: int(values[name]) for name in cls.__slots__})


class ReadMeter:
    """Counts the bytes that an archive unpacks to, against the limits and its packed size."""

    def __init__(self, limits: Limits, *, archive_bytes: int) -> None:
        """Start at zero, for an upload of this size."""
        self.num_bytes = 0
        self._max_bytes = limits.max_unpacked_bytes
        self._suspicious_from = max(_RATIO_CHECKED_FROM_BYTES, _MAX_RATIO * archive_bytes)

    def add(self, num_bytes: int) -> None:
        """Count bytes.

        Raises:
            UploadError: The limit is exceeded.
        """
        self.num_bytes += num_bytes
        if self.num_bytes > self._max_bytes:
            raise UploadError(
                FailureCode.ARCHIVE_TOO_LARGE,
                f"The unpacked files take more than the allowed {self._max_bytes:,} bytes.",
            )
        if self.num_bytes > self._suspicious_from:
            raise UploadError(
                FailureCode.SUSPICIOUS_ARCHIVE,
                f"The archive unpacks to more than {_MAX_RATIO} times its size.",
            )


def cpu_budget_seconds(archive_bytes: int) -> float:
    """Return the processor time that an upload of this size may take."""
    return _CPU_SECONDS + _CPU_SECONDS_PER_MIB * archive_bytes / _MIB


def make_safe_point(stop: StopRequest, *, cpu_seconds: float) -> SafePoint:
    """Return the check that ends the work on request or when it has taken too long."""

    def check() -> None:
        stop.check()
        require_time(time.process_time(), cpu_seconds)

    return check


def require_time(used_seconds: float, cpu_seconds: float) -> None:
    """Compare the processor time that was used with the budget.

    Raises:
        UploadError: It was too much.
    """
    if used_seconds > cpu_seconds:
        raise UploadError(
            FailureCode.TOO_SLOW, f"Reading it took more than {cpu_seconds:,.0f} s of work."
        )


def confine_process(limits: Limits, *, cpu_seconds: float) -> None:
    """Set the limits of the operating system for this process; our own checks act before them.

    A hostile image that gets hold of a decoder still finds no memory to fill, no time to
    burn and no core file with other people's pictures.
    """
    walls = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CPU: int(cpu_seconds) + _CPU_GRACE_SECONDS,
        resource.RLIMIT_AS: _MEMORY_BYTES + limits.max_files * _MEMORY_BYTES_PER_FILE,
    }
    for kind, value in walls.items():
        lower_limit(kind, value)


def lower_limit(kind: int, value: int) -> None:
    """Lower one limit of this process to `value`; a limit that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))
