"""How large scores may be, and how much memory reading them may take."""

import resource
from dataclasses import dataclass
from pathlib import Path

from worker.scores.errors import InvalidScoresError

MAX_COLUMNS = 10_000
MAX_CELLS = 100_000_000
"""Rows times columns of one array: judging keeps several copies of 8 bytes a cell."""
MAX_NEIGHBOUR_COST = 10**14
"""Multiplications to find the nearest rows by features: an hour or two of one core."""
_SLACK_BYTES = 1024**3
_BYTES_PER_CELL = 24
"""A column-major array as it lies in the file, and the same in double precision."""
_MAX_ARRAYS = 3
_OPEN_FILES = 128
_CPU_SECONDS = 3600
"""A gigabyte takes seconds."""
_UNKNOWN_BYTES = 8 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLimits:
    """The bounds on one file."""

    max_rows: int
    max_columns: int = MAX_COLUMNS
    max_cells: int = MAX_CELLS

    def check(self, name: str, num_rows: int, num_columns: int) -> None:
        """Refuse a matrix by its shape alone.

        Raises:
            InvalidScoresError: It is empty or too large.
        """
        for count, what, most in (
            (num_rows, "rows", self.max_rows),
            (num_columns, "columns", self.max_columns),
            (num_rows * num_columns, "numbers", self.max_cells),
        ):
            if count < 1:
                raise InvalidScoresError(f"{name} has no {what}")
            if count > most:
                raise InvalidScoresError(f"{name} has {count:,} {what}; at most {most:,} are taken")

    def check_features(self, num_rows: int, num_features: int) -> None:
        """Refuse features that would take days to compare.

        Raises:
            InvalidScoresError: They are empty or too large.
        """
        self.check("features", num_rows, num_features)
        if num_rows**2 * num_features > MAX_NEIGHBOUR_COST:
            raise InvalidScoresError(
                f"features of {num_rows:,} rows and {num_features:,} columns take too long to "
                "compare with each other; leave them out or reduce their columns"
            )


class MemoryWall:
    """Keeps what this process may allocate to what the announced arrays need."""

    def __init__(self) -> None:
        """Put up the wall for headers alone; the other limits are for good."""
        self._start_bytes = _address_space_bytes()
        _set_limit(resource.RLIMIT_CORE, 0)
        _set_limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
        _set_limit(resource.RLIMIT_CPU, _CPU_SECONDS)
        _set_limit(resource.RLIMIT_AS, self._bytes_for(_MAX_ARRAYS * MAX_CELLS))
        self.make_room(0)

    def make_room(self, num_cells: int) -> None:
        """Move the wall for arrays of this size that passed their checks."""
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (min(self._bytes_for(num_cells), hard), hard))

    def _bytes_for(self, num_cells: int) -> int:
        return self._start_bytes + _SLACK_BYTES + _BYTES_PER_CELL * num_cells


def _set_limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _address_space_bytes() -> int:
    """Return what libraries and threads have reserved already."""
    try:
        num_pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # no Linux
        return _UNKNOWN_BYTES
    return num_pages * resource.getpagesize()
