import numpy as np
import pytest

from ml.detection.sharpness import (
    SHARPNESSES,
    ClearImages,
    least_rate,
    look_at_clear,
    max_sharpness,
    tells_rate,
    weigh,
)

RATES = np.linspace(0.1, 0.3, len(SHARPNESSES))


def clear_images(
    *, share: float, rate: float = 0.2, even_rate: float = 0.2, far_share: float | None = None
) -> ClearImages:
    return ClearImages(
        rate=rate,
        even_rate=even_rate,
        num_samples=5000,
        share=share,
        far_share=share if far_share is None else far_share,
    )


class TestWeights:
    def test_noise_that_does_not_ask_for_the_image_has_the_rate_of_clear_images(self) -> None:
        weight_S = weigh(RATES, clear_images(share=0.6))
        assert weight_S @ RATES == pytest.approx(0.2, abs=0.005)
        assert weight_S[0] == weight_S[-1] == 0.0

    def test_a_rate_beyond_all_takes_the_nearest(self) -> None:
        assert weigh(RATES, clear_images(share=0.6, rate=0.9))[-1] > 0.9

    @pytest.mark.parametrize(("evenness", "rate"), [(0.0, 0.28), (0.5, 0.24), (1.0, 0.2)])
    def test_even_noise_has_the_rate_of_far_labels(self, *, evenness: float, rate: float) -> None:
        clear = clear_images(share=0.6, rate=0.28, even_rate=0.2)
        assert weigh(RATES, clear, evenness=evenness) @ RATES == pytest.approx(rate, abs=0.01)

    def test_even_noise_is_believed_whatever_clear_images_share(self) -> None:
        clear = clear_images(share=0.22, rate=0.2, even_rate=0.2)
        assert weigh(RATES, clear, evenness=1.0)[0] == 0.0
        none = clear_images(share=0.1, rate=0.2, even_rate=0.2, far_share=0.0)
        assert weigh(RATES, none, evenness=1.0)[0] == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("share", "far_share", "largest"),
        [(0.15, 0.05, 1.0), (0.15, 0.12, SHARPNESSES[-1]), (0.4, 0.0, SHARPNESSES[-1])],
    )
    def test_noise_is_shown_by_far_labels_or_by_many(
        self, *, share: float, far_share: float, largest: float
    ) -> None:
        assert max_sharpness(clear_images(share=share, far_share=far_share)) == largest

    @pytest.mark.parametrize("share", [0.22, 1.2])
    def test_where_that_is_refuted_every_sharpness_counts_alike(self, share: float) -> None:
        weight_S = weigh(RATES, clear_images(share=share))
        assert weight_S == pytest.approx(np.full(len(RATES), 1 / len(RATES)))

    def test_where_clear_images_agree_ambiguity_is_the_networks_own(self) -> None:
        weight_S = weigh(RATES, clear_images(share=0.01, rate=0.001))
        assert weight_S[0] == pytest.approx(1.0)
        assert max_sharpness(clear_images(share=0.01)) == 1.0

    @pytest.mark.parametrize(("share", "told"), [(0.3, False), (0.6, True), (1.1, False)])
    def test_the_rate_is_told_where_nothing_else_is_possible(
        self, *, share: float, told: bool
    ) -> None:
        assert tells_rate(clear_images(share=share)) is told


class TestClearImages:
    def test_the_rate_among_the_surest_predictions(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2)
        clear = look_at_clear(prob_NC, label_N, None)
        assert clear.rate == pytest.approx(0.2, abs=0.03)
        assert 0.2 < clear.share < 1.0

    def test_what_neighbours_say_counts_as_much(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2)
        memorised_NC = 0.5 * prob_NC + 0.5 * np.eye(4)[label_N]
        own = look_at_clear(memorised_NC, label_N, None).rate
        both = look_at_clear(memorised_NC, label_N, prob_NC).rate
        assert own < 0.1
        assert both == pytest.approx(np.sqrt(own * 0.2), abs=0.02)

    def test_only_neighbours_are_asked_where_the_network_saw_the_labels(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2)
        memorised_NC = 0.5 * prob_NC + 0.5 * np.eye(4)[label_N]
        clear = look_at_clear(memorised_NC, label_N, prob_NC, saw_labels=True)
        assert clear.rate == pytest.approx(0.2, abs=0.03)

    def test_far_labels_tell_no_more_than_clear_images(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2)  # far by chance where weak
        clear = look_at_clear(prob_NC, label_N, prob_NC, saw_labels=True)
        assert clear.even_rate == clear.rate == pytest.approx(0.2, abs=0.03)

    def test_errors_that_are_second_choices_are_no_even_noise(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2, weakest=4.0)
        clear = look_at_clear(prob_NC, label_N, _mixed_up(prob_NC, 0.15), saw_labels=True)
        assert clear.rate > 0.28
        assert clear.even_rate == pytest.approx(0.2, abs=0.03)

    def test_errors_that_are_second_choices_show_no_noise(self) -> None:
        prob_NC, label_N = _predictions(noise=0.0)
        clear = look_at_clear(_mixed_up(prob_NC, 0.02), label_N, None)
        assert 0.1 < clear.share < 0.2
        assert max_sharpness(clear) == 1.0

    def test_of_two_classes_the_other_is_far(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2)
        clear = look_at_clear(prob_NC[:, :2], np.minimum(label_N, 1), None)
        assert clear.far_share == clear.share > 0.0

    def test_far_labels_tell_nothing_where_they_are_remembered(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2, weakest=4.0)
        mixed_up_NC = _mixed_up(prob_NC, 0.15)
        clear = look_at_clear(prob_NC, label_N, mixed_up_NC, saw_labels=True, min_rate=0.26)
        assert clear.even_rate == clear.rate > 0.28

    def test_show_no_less_noise_than_is_sure(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2)
        memorised_NC = 0.7 * prob_NC + 0.3 * np.eye(4)[label_N]
        memorised_NC[::2] = prob_NC[::2]  # surest are wrong labels of these, and right ones of all
        assert look_at_clear(memorised_NC, label_N, None).rate < 0.18
        clear = look_at_clear(memorised_NC, label_N, None, min_rate=0.18)
        assert clear.rate == 0.18
        assert clear.share == pytest.approx(0.18 / (memorised_NC.argmax(axis=1) != label_N).mean())

    def test_what_is_sure_counts_for_nothing_where_clear_images_agree(self) -> None:
        prob_NC, label_N = _predictions(noise=0.0)
        wrong_and_alike = 0.9 * float((prob_NC.argmax(axis=1) != label_N).mean())
        assert wrong_and_alike > 0.05
        clear = look_at_clear(prob_NC, label_N, prob_NC, saw_labels=True, min_rate=wrong_and_alike)
        assert clear.share < 0.05
        assert clear.rate < 0.005


class TestLeastRate:
    def test_is_nearly_the_noise_where_network_and_neighbours_agree(self) -> None:
        label_N = np.repeat([0, 1], 50)
        seen_NC = np.eye(2)[np.concatenate([np.zeros(40, int), np.ones(60, int)])]
        others_NC = seen_NC.copy()
        others_NC[0] = others_NC[0, ::-1]
        assert least_rate(seen_NC, others_NC, label_N) == pytest.approx(0.10 - 2 * 0.01)

    def test_is_zero_where_they_often_disagree(self) -> None:
        prob_NC, label_N = _predictions(noise=0.2)
        assert least_rate(prob_NC, np.roll(prob_NC, 1, axis=0), label_N) == 0.0


def _mixed_up(prob_NC: np.ndarray, share: float) -> np.ndarray:
    """Return predictions of which a share puts the two likeliest classes in the wrong order."""
    mixed_NC, order_NC = prob_NC.copy(), np.argsort(-prob_NC, axis=1)
    chosen_M = np.flatnonzero(np.random.default_rng(1).random(len(prob_NC)) < share)
    first_M, second_M = order_NC[chosen_M, 0], order_NC[chosen_M, 1]
    mixed_NC[chosen_M, first_M] = prob_NC[chosen_M, second_M]
    mixed_NC[chosen_M, second_M] = prob_NC[chosen_M, first_M]
    return mixed_NC


def _predictions(*, noise: float, weakest: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities of 4 classes, surer for some samples, and labels with even noise."""
    rng = np.random.default_rng(0)
    true_N = rng.integers(4, size=8000)
    strength_N1 = weakest + (8.0 - weakest) * rng.random((8000, 1))
    logit_NC = rng.normal(size=(8000, 4)) + strength_N1 * np.eye(4)[true_N]
    prob_NC = np.exp(logit_NC) / np.exp(logit_NC).sum(axis=1, keepdims=True)
    is_wrong_N = rng.random(8000) < noise
    return prob_NC, np.where(is_wrong_N, (true_N + rng.integers(1, 4, 8000)) % 4, true_N)
