"""An array that is made row by row goes on after its last whole shard, whatever ended the work."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from worker.stages.train import resumable_array
from worker.stages.train.resumable_array import make_in_shards

SHAPE = (10, 2)
WANTED = np.arange(20, dtype=np.float16).reshape(SHAPE)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable_array, "SHARD_ROWS", 4)


class Work:
    """Makes one row at a time, and is killed before a row."""

    def __init__(self, *, stop_before: int = 99) -> None:
        self.made: list[int] = []
        self.stop_before = stop_before

    def __call__(self, array: npt.NDArray[Any], start: int, on_rows: Callable[[int], None]) -> None:
        for row in range(start, len(array)):
            if row == self.stop_before:
                raise KeyboardInterrupt
            array[row] = WANTED.reshape(array.shape)[row]
            self.made.append(row)
            on_rows(row + 1)


def make(file: Path, work: Work, shape: tuple[int, ...] = SHAPE) -> list[int]:
    """Make the array as far as it goes; return the rows that were computed."""
    try:
        make_in_shards(file, shape=shape, dtype=np.float16, make=work)
    except KeyboardInterrupt:
        assert not file.exists()
    return work.made


def values(file: Path) -> npt.NDArray[np.float16]:
    return np.fromfile(file, dtype=np.float16).reshape(SHAPE)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Return a file of which two shards and one row more were made."""
    file = tmp_path / "x.f16"
    assert make(file, Work(stop_before=9)) == list(range(9))
    return file


def test_it_goes_on_after_the_last_whole_shard(begun: Path) -> None:
    assert make(begun, Work()) == [8, 9]
    assert np.array_equal(values(begun), WANTED)
    assert [each.name for each in begun.parent.iterdir()] == ["x.f16"]


def test_a_second_interruption_loses_nothing_more(begun: Path) -> None:
    assert make(begun, Work(stop_before=8)) == []
    assert make(begun, Work()) == [8, 9]


@pytest.mark.parametrize(("row", "expected"), [(1, range(10)), (6, range(4, 10))])
def test_a_shard_that_is_not_as_it_was_is_made_again(
    begun: Path, row: int, expected: range
) -> None:
    part = np.memmap(begun.with_name(".x.f16.part"), dtype=np.float16, mode="r+", shape=SHAPE)
    part[row] = 77
    part.flush()
    assert make(begun, Work()) == list(expected)
    assert np.array_equal(values(begun), WANTED)


def test_half_a_line_in_the_journal_counts_for_nothing(begun: Path) -> None:
    journal = begun.with_name(".x.f16.done")
    journal.write_bytes(journal.read_bytes()[:-20])
    assert make(begun, Work()) == list(range(4, 10))
    assert np.array_equal(values(begun), WANTED)


def test_half_a_file_counts_for_nothing(begun: Path) -> None:
    part = begun.with_name(".x.f16.part")
    part.write_bytes(part.read_bytes()[:20])
    assert make(begun, Work()) == list(range(4, 10))


def test_work_on_another_shape_begins_anew(begun: Path) -> None:
    assert make(begun, Work(), (5, 4)) == list(range(5))


def test_a_second_maker_at_the_same_time_has_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "x.f16"
    other = Work()

    class Disturbed(Work):
        @override
        def __call__(self, array: npt.NDArray[Any], start: int, on_rows: Any) -> None:
            make_in_shards(file, shape=SHAPE, dtype=np.float16, make=other)
            super().__call__(array, start, on_rows)

    make(file, Disturbed())
    assert other.made == list(range(10))
    assert np.array_equal(values(file), WANTED)
    assert [each.name for each in tmp_path.iterdir()] == ["x.f16"]


def test_a_killed_process_leaves_whole_shards_and_no_lock(tmp_path: Path) -> None:
    file = tmp_path / "x.f16"
    code = f"""
import os, signal
from pathlib import Path
from tests.worker.stages.train import test_resumable_array
from worker.stages.train import resumable_array
resumable_array.SHARD_ROWS = 4
class Killed(test_resumable_array.Work):
    def __call__(self, array, start, on_rows):
        def kill_after_five(num):
            on_rows(num)
            if num == 5:
                os.kill(os.getpid(), signal.SIGKILL)
        super().__call__(array, start, kill_after_five)
test_resumable_array.make(Path({str(file)!r}), Killed())
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[4])
    assert done.returncode == -9
    assert not file.exists()
    assert make(file, Work()) == list(range(4, 10))
    assert np.array_equal(values(file), WANTED)
