import numpy as np
import pytest

from ml.scoring.structure import NoiseStructure, noise_structure
from ml.types import IntArray

NUM_FLAGGED = 2000


def structure_of(given_N: IntArray, suggested_N: IntArray, num_classes: int = 10) -> NoiseStructure:
    flagged_N = np.ones(len(given_N), dtype=np.bool_)
    return noise_structure(given_N, suggested_N, flagged_N, num_classes=num_classes)


def test_noise_from_all_classes_is_even() -> None:
    rng = np.random.default_rng(0)
    given_N = rng.integers(10, size=NUM_FLAGGED)
    found = structure_of(given_N, (given_N + rng.integers(1, 10, NUM_FLAGGED)) % 10)
    assert found.is_structured is False
    assert found.unevenness == pytest.approx(0.0, abs=0.2)


def test_noise_of_pairs_is_structured() -> None:
    given_N = np.random.default_rng(0).integers(10, size=NUM_FLAGGED)
    found = structure_of(given_N, (given_N + 1) % 10)
    assert found.is_structured is True
    assert found.unevenness == pytest.approx(1.0)


@pytest.mark.parametrize(("num_flagged", "num_classes"), [(10, 10), (2000, 2)])
def test_too_few_to_say(num_flagged: int, num_classes: int) -> None:
    given_N = np.zeros(num_flagged, dtype=np.int64)
    found = structure_of(given_N, given_N + 1, num_classes)
    assert found.is_structured is None
    assert found.unevenness is None
