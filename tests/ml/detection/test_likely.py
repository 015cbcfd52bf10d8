import numpy as np
import pytest

from ml.detection.kinds import likely_classes


class TestLikelyClasses:
    def test_are_the_most_probable_but_the_suggested_one(self) -> None:
        generator = np.random.default_rng(0)
        prob_NK = generator.dirichlet(np.full(20, 0.3), 100)
        label_NK = generator.permuted(np.tile(np.arange(50, 70), (100, 1)), axis=1)
        suggested_N = generator.integers(20, size=100)
        found = likely_classes(label_NK, prob_NK, suggested_N, num=6)
        for row in range(100):
            order = [k for k in np.argsort(-prob_NK[row]) if k != suggested_N[row]]
            assert found.label[row].tolist() == label_NK[row, order[:6]].tolist()
            assert np.allclose(found.probability[row], prob_NK[row, order[:6]])

    def test_of_two_classes_the_other_one_is_left(self) -> None:
        label_NK = np.array([[0, 1], [0, 1]])
        found = likely_classes(label_NK, np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0]))
        assert found.label.tolist() == [[1], [1]]
        assert found.probability[:, 0] == pytest.approx([0.3, 0.8])
