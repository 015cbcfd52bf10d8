"""Arrays as files of NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def save_array(file: Path, array: npt.NDArray[Any]) -> None:
    """Write an array such that an error has the system's number.

    Into a file that is only written to, NumPy writes past Python: its error for a full disk is
    "1000 requested and 24 written", and nobody knows it for one.
    """
    with file.open("wb+") as target:
        np.save(target, array, allow_pickle=False)
