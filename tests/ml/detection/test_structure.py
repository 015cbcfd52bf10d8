import numpy as np
import pytest

from ml.detection.structure import NoiseStructure, noise_structure, stands_out
from ml.types import IntArray

NUM_FLAGGED = 2000
NUM_RUNS = 200


def structure_of(given_N: IntArray, suggested_N: IntArray, num_classes: int = 10) -> NoiseStructure:
    flagged_N = np.ones(len(given_N), dtype=np.bool_)
    return noise_structure(given_N, suggested_N, flagged_N, num_classes=num_classes)


def even_noise(
    rng: np.random.Generator, num_flagged: int, num_classes: int
) -> tuple[IntArray, IntArray]:
    given_N = rng.integers(num_classes, size=num_flagged)
    return given_N, (given_N + rng.integers(1, num_classes, num_flagged)) % num_classes


def test_noise_from_all_classes_is_even() -> None:
    found = structure_of(*even_noise(np.random.default_rng(0), NUM_FLAGGED, 10))
    assert found.is_structured is False
    assert found.unevenness == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(
    ("num_flagged", "num_classes"), [(30, 10), (73, 10), (38, 3), (100, 100), (298, 120)]
)
def test_few_samples_of_even_noise_are_hardly_ever_called_structured(
    num_flagged: int, num_classes: int
) -> None:
    rng = np.random.default_rng(num_flagged)
    called = [
        structure_of(*even_noise(rng, num_flagged, num_classes), num_classes).is_structured
        for _ in range(NUM_RUNS)
    ]
    assert sum(bool(each) for each in called) <= 0.03 * NUM_RUNS


@pytest.mark.parametrize(("num_flagged", "num_classes"), [(NUM_FLAGGED, 10), (40, 10), (300, 120)])
def test_noise_of_pairs_is_structured(num_flagged: int, num_classes: int) -> None:
    given_N = np.random.default_rng(0).integers(num_classes, size=num_flagged)
    found = structure_of(given_N, (given_N + 1) % num_classes, num_classes)
    assert found.is_structured is True
    assert found.unevenness == pytest.approx(1.0)


@pytest.mark.parametrize(("num_flagged", "num_classes"), [(10, 10), (2000, 2)])
def test_too_few_to_say(num_flagged: int, num_classes: int) -> None:
    given_N = np.zeros(num_flagged, dtype=np.int64)
    found = structure_of(given_N, given_N + 1, num_classes)
    assert found.is_structured is None
    assert found.unevenness is None


def test_half_of_the_errors_of_two_equal_classes_are_no_news() -> None:
    assert not stands_out(19, num_flagged=38, share_of_label=0.5, num_classes=2)
    assert stands_out(36, num_flagged=38, share_of_label=0.5, num_classes=2)


def test_a_pair_of_ten_classes_that_has_a_third_of_all_errors_stands_out() -> None:
    assert stands_out(13, num_flagged=39, share_of_label=0.1, num_classes=10)
    assert not stands_out(8, num_flagged=20, share_of_label=0.1, num_classes=10)
