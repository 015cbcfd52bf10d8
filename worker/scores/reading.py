"""Scores from a file of either kind."""

from collections.abc import Callable
from pathlib import Path

from worker.files.errors import UnreadableDataError, UploadError
from worker.files.limits import SafePoint
from worker.files.magic_bytes import PARQUET
from worker.scores.arrays import Scores
from worker.scores.errors import InvalidScoresError
from worker.scores.limits import MemoryWall, ScoreLimits
from worker.scores.npz import NpzReader


def read_scores(
    path: Path,
    limits: ScoreLimits,
    wall: MemoryWall,
    *,
    safe_point: SafePoint,
    on_rows: Callable[[float], None],
) -> Scores:
    """Read and check a file by what is in it, not by its name.

    Args:
        path: The upload.
        limits: How large its arrays may be.
        wall: Moved for arrays that passed the checks of their headers.
        safe_point: Called between blocks; raises when the work has to end.
        on_rows: Hears the share of the probabilities that is read.

    Returns:
        The checked arrays.

    Raises:
        InvalidScoresError: Something is wrong in the file.
    """
    with path.open("rb") as file:
        is_parquet = file.read(len(PARQUET)) == PARQUET
        try:
            if is_parquet:
                from worker.scores.parquet import ParquetReader  # noqa: PLC0415 - brings pyarrow

                return ParquetReader(file, limits, wall, safe_point).read(on_rows)
            return NpzReader(file, limits, wall, safe_point).read(on_rows)
        except (UploadError, UnreadableDataError) as error:
            raise InvalidScoresError(error.detail.removesuffix(".")) from error
        except MemoryError as error:
            raise InvalidScoresError("reading the file takes more memory than allowed") from error
