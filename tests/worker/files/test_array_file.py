"""Arrays on disk."""

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np

from worker.files.npy import save_array

_AT_A_LIMIT = """
import resource, sys
from pathlib import Path
import numpy as np
from worker.files.npy import save_array

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_array(Path(sys.argv[1]), np.zeros(1_000_000))
except OSError as error:
    print(error.errno)
"""


def test_an_array_comes_back(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    save_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), array)


def test_an_array_that_does_not_fit_is_an_error_with_a_number(tmp_path: Path) -> None:
    """By the number a full disk is known; a limit needs no small volume."""
    told = subprocess.run(
        [sys.executable, "-c", _AT_A_LIMIT, tmp_path / "a.npy"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == [str(errno.EFBIG)]
