import numpy as np
import pytest

from ml.detection import likely
from ml.detection.likely import likely_classes


class TestLikelyClasses:
    def test_are_the_most_probable_but_the_suggested_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(likely, "_VALUES_AT_ONCE", 200)  # more than one part
        generator = np.random.default_rng(0)
        prob_NC = generator.dirichlet(np.full(20, 0.3), 100)
        suggested_N = generator.integers(20, size=100)
        found = likely_classes(prob_NC, suggested_N, num=6)
        for row in range(100):
            order = [c for c in np.argsort(-prob_NC[row]) if c != suggested_N[row]]
            assert found.label[row].tolist() == order[:6]
            assert np.allclose(found.probability[row], prob_NC[row, order[:6]])

    def test_of_two_classes_the_other_one_is_left(self) -> None:
        found = likely_classes(np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0]))
        assert found.label.tolist() == [[1], [1]]
        assert found.probability[:, 0] == pytest.approx([0.3, 0.8])
