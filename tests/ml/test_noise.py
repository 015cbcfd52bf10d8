import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.noise import (
    CIFAR10_CLASS_MAP,
    NOISE_KINDS,
    AsymmetricNoise,
    InstanceNoise,
    MatrixNoise,
    Noise,
    NoisyLabels,
    UniformNoise,
    UniformOthersNoise,
    classes_at,
    inject_noise,
    parse_noise,
    truncated_normal,
)
from ml.types import FloatArray, IntArray

NUM_SAMPLES = 4000
RATES = st.floats(0.0, 1.0)
CLASSES = st.integers(2, 12)
SEEDS = st.integers(0, 2**32)


def labels(num_classes: int, *, num_samples: int = NUM_SAMPLES) -> IntArray:
    return np.arange(num_samples, dtype=np.int64) % num_classes


def features(num_samples: int = NUM_SAMPLES) -> FloatArray:
    return np.random.default_rng(5).standard_normal((num_samples, 6))


def injected(label_N: IntArray, noise: Noise, num_classes: int, *, seed: int = 0) -> NoisyLabels:
    return inject_noise(label_N, noise, np.random.default_rng(seed), num_classes)


def is_binomial(rate: float, expected: float, num_samples: int = NUM_SAMPLES) -> bool:
    """Return whether a share lies within six standard deviations and ten samples of its mean."""
    deviation = math.sqrt(expected * (1.0 - expected) / num_samples)
    return abs(rate - expected) <= 6.0 * deviation + 10.0 / num_samples


@pytest.mark.parametrize("name", NOISE_KINDS)
class TestEveryKind:
    @settings(deadline=None, max_examples=20)
    @given(rate=RATES, seed=SEEDS)
    def test_says_who_is_wrong_and_how_many(self, name: str, rate: float, seed: int) -> None:
        label_N = labels(10, num_samples=300)
        noise = parse_noise(name, rate, features_ND=features(300))
        noisy = injected(label_N, noise, 10, seed=seed)
        assert noisy.labels.dtype == np.int64
        assert noisy.labels.shape == (300,)
        assert 0 <= noisy.labels.min() <= noisy.labels.max() < 10
        assert np.array_equal(noisy.is_wrong, noisy.labels != label_N)
        assert noisy.actual_rate == pytest.approx(np.mean(noisy.labels != label_N))

    def test_rate_0_changes_nothing(self, name: str) -> None:
        noise = parse_noise(name, 0.0, features_ND=features())
        noisy = injected(labels(10), noise, 10)
        assert np.array_equal(noisy.labels, labels(10))
        assert noisy.actual_rate == 0.0

    def test_is_a_function_of_the_generator_and_leaves_its_input_alone(self, name: str) -> None:
        label_N = labels(10)
        noise = parse_noise(name, 0.4, features_ND=features())
        first, second = injected(label_N, noise, 10, seed=1), injected(label_N, noise, 10, seed=1)
        other = injected(label_N, noise, 10, seed=2)
        assert np.array_equal(first.labels, second.labels)
        assert not np.array_equal(first.labels, other.labels)
        assert np.array_equal(label_N, labels(10))

    @pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan])
    def test_a_rate_that_is_none_is_refused(self, name: str, rate: float) -> None:
        with pytest.raises(ValueError, match="noise rate must be between 0 and 1"):
            parse_noise(name, rate, features_ND=features())

    def test_no_samples_have_no_noise(self, name: str) -> None:
        noise = parse_noise(name, 0.5, features_ND=np.zeros((0, 6)))
        assert injected(labels(10, num_samples=0), noise, 10).actual_rate == 0.0


class TestUniform:
    @settings(deadline=None, max_examples=50)
    @given(rate=RATES, num_classes=CLASSES, seed=SEEDS)
    def test_over_all_classes_leaves_some_right(
        self, rate: float, num_classes: int, seed: int
    ) -> None:
        noisy = injected(labels(num_classes), UniformNoise(rate), num_classes, seed=seed)
        assert is_binomial(noisy.actual_rate, rate * (num_classes - 1) / num_classes)

    def test_half_of_ten_classes_is_45_percent_as_in_the_paper(self) -> None:
        noisy = injected(labels(10, num_samples=50_000), UniformNoise(0.5), 10)
        assert noisy.actual_rate == pytest.approx(0.45, abs=0.01)

    @settings(deadline=None, max_examples=50)
    @given(rate=RATES, num_classes=CLASSES, seed=SEEDS)
    def test_over_the_others_realises_its_rate(
        self, rate: float, num_classes: int, seed: int
    ) -> None:
        noisy = injected(labels(num_classes), UniformOthersNoise(rate), num_classes, seed=seed)
        assert is_binomial(noisy.actual_rate, rate)

    @settings(deadline=None, max_examples=20)
    @given(num_classes=CLASSES, seed=SEEDS)
    def test_over_the_others_at_rate_1_leaves_none_right(self, num_classes: int, seed: int) -> None:
        noisy = injected(labels(num_classes), UniformOthersNoise(1.0), num_classes, seed=seed)
        assert noisy.is_wrong.all()

    @pytest.mark.parametrize("noise", [UniformNoise(1.0), UniformOthersNoise(1.0)])
    def test_wrong_labels_spread_evenly(self, noise: Noise) -> None:
        noisy = injected(np.zeros(9000, dtype=np.int64), noise, 4)
        count_C = np.bincount(noisy.labels[noisy.is_wrong], minlength=4)
        assert count_C[0] == 0
        assert count_C[1:].min() > 0.93 * count_C[1:].max()

    def test_a_higher_rate_changes_what_a_lower_one_did(self) -> None:
        low = injected(labels(10), UniformOthersNoise(0.2), 10)
        high = injected(labels(10), UniformOthersNoise(0.6), 10)
        assert np.array_equal(low.labels[low.is_wrong], high.labels[low.is_wrong])

    def test_one_class_has_no_others(self) -> None:
        with pytest.raises(ValueError, match="at least two classes"):
            injected(labels(1), UniformOthersNoise(0.5), 1)


class TestAsymmetric:
    def test_moves_to_the_next_class_by_default(self) -> None:
        noisy = injected(labels(5), AsymmetricNoise(1.0), 5)
        assert np.array_equal(noisy.labels, (labels(5) + 1) % 5)

    @settings(deadline=None, max_examples=30)
    @given(rate=RATES, seed=SEEDS)
    def test_realises_its_rate_in_mapped_classes_alone(self, rate: float, seed: int) -> None:
        noisy = injected(labels(10), AsymmetricNoise(rate, CIFAR10_CLASS_MAP), 10, seed=seed)
        is_mapped_N = np.isin(labels(10), list(CIFAR10_CLASS_MAP))
        assert not noisy.is_wrong[~is_mapped_N].any()
        assert is_binomial(
            float(noisy.is_wrong[is_mapped_N].mean()), rate, num_samples=int(is_mapped_N.sum())
        )

    def test_the_map_of_cifar10_is_the_published_one(self) -> None:
        names = [
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ]
        pairs = {names[true]: names[wrong] for true, wrong in CIFAR10_CLASS_MAP.items()}
        assert pairs == {
            "truck": "automobile",
            "bird": "airplane",
            "deer": "horse",
            "cat": "dog",
            "dog": "cat",
        }

    def test_takes_the_map_as_an_array_too(self) -> None:
        noisy = injected(labels(3), AsymmetricNoise(1.0, np.array([0, 0, 1])), 3)
        assert np.array_equal(noisy.labels, np.array([0, 0, 1])[labels(3)])

    @pytest.mark.parametrize("class_map", [{3: 0}, {0: 3}, {-1: 0}, {0: -1}])
    def test_a_map_to_no_class_is_refused(self, class_map: dict[int, int]) -> None:
        with pytest.raises(ValueError, match="is not of 3 classes"):
            injected(labels(3), AsymmetricNoise(0.5, class_map), 3)


class TestMatrix:
    @settings(deadline=None, max_examples=30)
    @given(num_classes=st.integers(1, 6), seed=SEEDS)
    def test_frequencies_are_the_given_ones(self, num_classes: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        matrix_CC = rng.dirichlet(np.full(num_classes, 0.5), size=num_classes)
        label_N = labels(num_classes, num_samples=1000 * num_classes)
        noisy = injected(label_N, MatrixNoise(matrix_CC), num_classes, seed=seed)
        for true in range(num_classes):
            count_C = np.bincount(noisy.labels[label_N == true], minlength=num_classes)
            for count, probability in zip(count_C, matrix_CC[true], strict=True):
                assert is_binomial(count / 1000, min(float(probability), 1.0), num_samples=1000)

    def test_what_has_no_probability_is_never_drawn(self) -> None:
        matrix_CC = np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])
        noisy = injected(labels(3), MatrixNoise(matrix_CC), 3)
        assert noisy.is_wrong.all()
        assert set(noisy.labels[labels(3) != 1]) == {1}

    def test_a_class_without_probability_has_no_place_at_the_border_of_others(self) -> None:
        place_N = np.array([0.0, 0.5, np.nextafter(1.0, 0.0)])
        assert classes_at(np.array([0.0, 0.5, 0.0, 0.5, 0.0]), place_N).tolist() == [1, 3, 3]

    def test_a_row_that_does_not_sum_to_1_is_named(self) -> None:
        with pytest.raises(ValueError, match=r"row 1 of the noise matrix sums to 0\.9, not to 1"):
            MatrixNoise(np.array([[1.0, 0.0], [0.5, 0.4]]))

    @pytest.mark.parametrize("value", [-0.5, math.nan])
    def test_a_row_with_no_probability_is_named(self, value: float) -> None:
        with pytest.raises(ValueError, match="row 1 of the noise matrix has values"):
            MatrixNoise(np.array([[1.0, 0.0], [1.0 - value, value]]))

    @pytest.mark.parametrize("shape", [(2, 3), (2,), (0, 0)])
    def test_must_be_square(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="must be square"):
            MatrixNoise(np.zeros(shape))

    def test_must_have_the_classes_of_the_labels(self) -> None:
        with pytest.raises(ValueError, match="has 2 classes, not 3"):
            injected(labels(3), MatrixNoise(np.eye(2)), 3)


class TestInstance:
    @settings(deadline=None, max_examples=30)
    @given(rate=RATES, num_classes=CLASSES, seed=SEEDS)
    def test_realises_its_rate(self, rate: float, num_classes: int, seed: int) -> None:
        noise = InstanceNoise(rate, features())
        noisy = injected(labels(num_classes), noise, num_classes, seed=seed)
        assert is_binomial(noisy.actual_rate, rate)

    def test_equal_samples_of_a_class_are_mistaken_for_the_same_classes(self) -> None:
        """Of two looks in one class, each has wrong classes of its own."""
        looks_ND = np.repeat(100.0 * np.eye(2), NUM_SAMPLES // 2, axis=0)
        noise = InstanceNoise(1.0, looks_ND)
        noisy = injected(np.zeros(NUM_SAMPLES, dtype=np.int64), noise, 10)
        first, second = np.split(noisy.labels, 2)
        assert np.bincount(first).max() > 0.9 * len(first)
        assert np.bincount(second).max() > 0.9 * len(second)
        assert np.bincount(first).argmax() != np.bincount(second).argmax()

    @pytest.mark.parametrize("rate", [0.0, 0.05, 0.3, 0.5, 0.8, 1.0])
    def test_probabilities_of_samples_scatter_around_the_rate(self, rate: float) -> None:
        rate_N = truncated_normal((np.arange(10_000) + 0.5) / 10_000, rate)
        half_width = min(rate, 1.0 - rate)
        assert rate - half_width <= rate_N.min() <= rate_N.max() <= rate + half_width
        assert rate_N.mean() == pytest.approx(rate, abs=1e-9)
        assert rate_N.std() == pytest.approx(0.1 if half_width >= 0.3 else half_width / 2, abs=0.03)

    def test_takes_pixels_as_they_are(self) -> None:
        pixel_ND = np.random.default_rng(0).integers(0, 256, (500, 48), dtype=np.uint8)
        noisy = injected(labels(5, num_samples=500), InstanceNoise(1.0, pixel_ND), 5)
        assert noisy.is_wrong.all()

    def test_features_of_other_samples_are_refused(self) -> None:
        with pytest.raises(ValueError, match="features of 10 samples for 4000 labels"):
            injected(labels(3), InstanceNoise(0.5, features(10)), 3)

    def test_features_must_be_rows(self) -> None:
        with pytest.raises(ValueError, match=r"must have shape \(N, D\)"):
            InstanceNoise(0.5, np.zeros((10, 8, 8)))

    def test_features_must_be_finite(self) -> None:
        with pytest.raises(ValueError, match="features must be finite"):
            injected(labels(3), InstanceNoise(1.0, np.full((NUM_SAMPLES, 2), np.nan)), 3)


class TestArguments:
    def test_an_unknown_name_names_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match="unknown noise 'pair'; known: uniform, uniform-o"):
            parse_noise("pair", 0.5)

    def test_instance_noise_by_name_needs_features(self) -> None:
        with pytest.raises(ValueError, match="needs features"):
            parse_noise("instance", 0.5)

    @pytest.mark.parametrize("wrong", [[0, 3], [-1, 0]])
    def test_labels_out_of_range_are_refused(self, wrong: list[int]) -> None:
        with pytest.raises(ValueError, match="between 0 and 2"):
            injected(np.array(wrong), UniformNoise(0.5), 3)

    @pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((3, 1), dtype=np.int64)])
    def test_labels_must_be_integers_in_one_dimension(self, wrong: IntArray) -> None:
        with pytest.raises(ValueError, match="one for each sample"):
            injected(wrong, UniformNoise(0.5), 3)
