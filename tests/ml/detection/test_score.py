import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from typing_extensions import override

import ml
from ml.detection.verdict import judge, rank_by, suggest
from tests.ml.support import NOISY_CONFIG as CONFIG
from tests.ml.support import NUM_WRONG, colour_images, noisy_run, run_training


class TestFindings:
    def test_planted_wrong_labels_are_found_and_corrected(self) -> None:
        _, label_N, given_N, state = noisy_run()
        findings = ml.score(state, given_N)
        is_wrong_N = given_N != label_N
        assert np.mean(is_wrong_N[findings.flagged]) >= 0.9
        assert np.mean(findings.flagged[is_wrong_N]) >= 0.9
        assert np.mean(findings.suggested_label[is_wrong_N] == label_N[is_wrong_N]) >= 0.9
        assert findings.noise_rate == pytest.approx(NUM_WRONG / 160, abs=0.05)
        low, high = findings.noise_rate_interval
        assert low <= NUM_WRONG / 160 <= high

    def test_values_are_in_range_and_ranks_are_a_permutation(self) -> None:
        _, _, given_N, state = noisy_run()
        findings = ml.score(state, given_N)
        for value in (findings.p_mislabeled, findings.suggested_confidence):
            assert np.all((value >= 0.0) & (value <= 1.0))
        assert sorted(findings.rank.tolist()) == list(range(1, 161))
        by_rank = findings.p_mislabeled[np.argsort(findings.rank)]
        assert np.all(np.diff(by_rank) <= 0.0)
        flagged = findings.flagged
        assert np.all(findings.suggested_label[flagged] != given_N[flagged])
        assert all(np.isfinite(signal).all() for signal in findings.signals.values())

    def test_clean_labels_are_left_alone(self) -> None:
        image_NHWC, label_N = colour_images(160)
        state = run_training(image_NHWC, label_N, CONFIG)[-1]
        findings = ml.score(state, label_N)
        assert findings.flagged.mean() <= 0.01

    def test_a_sample_alone_in_its_class_is_not_judged(self) -> None:
        image_NHWC, label_N = colour_images(60, num_classes=2)
        label_N[7] = 2
        state = run_training(image_NHWC, label_N, replace(CONFIG, epochs=2))[-1]
        findings = ml.score(state, label_N)
        assert np.flatnonzero(np.isnan(findings.p_mislabeled)).tolist() == [7]
        assert findings.rank[7] == 60
        assert not findings.flagged[7]

    def test_labels_of_another_length_are_refused(self) -> None:
        _, _, given_N, state = noisy_run()
        with pytest.raises(ValueError, match="160 labels needed"):
            ml.score(state, given_N[:-1])

    def test_a_flagged_label_is_never_suggested_again(self) -> None:
        given_first_NK = np.array([[0.45, 0.25, 0.3], [0.45, 0.25, 0.3]])
        assert suggest(given_first_NK, np.array([True, False])).tolist() == [2, 0]

    def test_equal_probabilities_keep_their_order_and_nan_is_last(self) -> None:
        ranks = rank_by(np.array([0.5, np.nan, 0.9, 0.5]))
        assert ranks.tolist() == [2, 4, 1, 3]


@pytest.mark.parametrize("concentration", [0.02, 200.0])
def test_predictions_that_say_nothing_flag_nothing_and_claim_nothing(concentration: float) -> None:
    rng = np.random.default_rng(0)
    prob_NC = rng.dirichlet(np.full(10, concentration), size=400)
    log_prob_NC = np.log(np.maximum(prob_NC, 1e-9))
    label_N = rng.integers(0, 10, size=400)
    found = judge(log_prob_NC, label_N)
    assert found.fallback == "uninformative_predictions"
    assert not found.flagged.any()
    assert not found.sure.any()
    assert found.noise_rate_interval == (0.0, 1.0)
    assert (found.expected_precision, found.expected_recall) == (None, None)
    assert sorted(found.rank.tolist()) == list(range(1, 401))


NAMES = ["cat", "dog", "ship"]


class TestReport:
    def test_the_report_is_json_and_its_counts_agree(self) -> None:
        image_NHWC, label_N, given_N, state = noisy_run()
        findings = ml.score(state, given_N)
        test = ml.evaluate(state, image_NHWC, label_N, device=torch.device("cpu"))
        report = ml.build_report(state, findings, given_N, class_names=NAMES, test=test)
        json.dumps(report, allow_nan=False)
        num_flagged = int(findings.flagged.sum())
        assert report["num_flagged"] == num_flagged
        assert sum(row["num_flagged"] for row in report["per_class"]) == num_flagged
        assert sum(row["num_samples"] for row in report["per_class"]) == 160
        assert sum(pair["count"] for pair in report["class_pairs"]) == num_flagged
        assert sum(report["loss_histogram"]["counts"]) == 160
        assert len(report["mixture_per_epoch"]) == CONFIG.epochs
        assert report["accuracy"]["test"] > 0.9
        assert {pair["given"] for pair in report["class_pairs"]} <= set(NAMES)

    def test_samples_that_cannot_be_judged_are_no_nan(self) -> None:
        image_NHWC, label_N = colour_images(60, num_classes=2)
        label_N[7] = 2
        state = run_training(image_NHWC, label_N, replace(CONFIG, epochs=1), num_classes=4)[-1]
        report = ml.build_report(
            state, ml.score(state, label_N), label_N, class_names=["a", "b", "c", "d"]
        )
        json.dumps(report, allow_nan=False)
        assert report["num_not_judged"] == 1
        assert report["accuracy"]["test"] is None
        assert "alone in their class and were not judged" in report["warnings"][0]

    def test_evaluation_of_nothing_is_refused(self) -> None:
        image_NHWC, label_N, _, state = noisy_run()
        with pytest.raises(ValueError, match="at least one image"):
            ml.evaluate(state, image_NHWC[:0], label_N[:0], device=torch.device("cpu"))


class TestModelCard:
    def test_plain_pytorch_rebuilds_the_network_from_card_and_weights(self) -> None:
        image_NHWC, label_N, _, state = noisy_run()
        weights, card = ml.export_model(state, ["red", "green", "blue"])
        card = json.loads(json.dumps(card, allow_nan=False))
        weights = safetensors.torch.load(safetensors.torch.save(weights))

        def conv(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
            layer = nn.Conv2d(num_in, num_out, 3, stride, 1, bias=False)
            return nn.Sequential(layer, nn.BatchNorm2d(num_out), nn.ReLU())

        class Residual(nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                self.first, self.second = conv(width, width), conv(width, width)

            @override
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                y: torch.Tensor = self.second(self.first(x))
                return x + y

        w = card["width"]
        network = nn.Sequential(
            conv(3, w),
            conv(w, 2 * w, 2),
            Residual(2 * w),
            conv(2 * w, 4 * w, 2),
            conv(4 * w, 4 * w, 2),
            Residual(4 * w),
            nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
            nn.Linear(4 * w, card["num_classes"]),
        )
        network.load_state_dict(weights)
        network.eval()
        mean, std = torch.tensor(card["mean"]), torch.tensor(card["std"])
        x = ((torch.from_numpy(image_NHWC) / 255 - mean) / std).permute(0, 3, 1, 2)
        accuracy = float((network(x).argmax(1).numpy() == label_N).mean())
        ours = ml.evaluate(state, image_NHWC, label_N, device=torch.device("cpu"))
        assert accuracy == pytest.approx(ours.accuracy)
        assert card["classes"] == ["red", "green", "blue"]

    def test_a_missing_class_name_is_refused(self) -> None:
        with pytest.raises(ValueError, match="3 class names needed"):
            ml.export_model(noisy_run()[-1], ["red"])
