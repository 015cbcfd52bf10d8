"""Features of a frozen network, and a head that is trained on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ml
from ml.features import CPU_BATCH_SIZE, PRETRAINED_CLASSES
from ml.networks import build_network, cut_head, linear_head, put_head
from ml.networks.inputs import resized
from ml.types import FeatureArray, ImageArray
from tests.ml.support import colour_images, noisy_run, run_training, with_wrong_labels

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ml.TrainConfig:
    """Return a head's configuration on a tiny network with weights in a file."""
    file = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(3)  # noqa: TID251 - weights of a test
        network = build_network("resnet9", PRETRAINED_CLASSES, 8)
    save_file(network.state_dict(), file)
    return ml.TrainConfig(
        epochs=8, architecture="resnet9", width=8, pretrained=str(file), frozen=True,
        input_size=12, batch_size=16, learning_rate=0.01, head_precision=100.0,
    )  # fmt: skip


def extract(image_NHWC: ImageArray, config: ml.TrainConfig) -> FeatureArray:
    shape = (len(image_NHWC), ml.NUM_VIEWS, ml.num_features(config))
    out = np.zeros(shape, dtype=np.float16)
    ml.extract_features(image_NHWC, config, device=CPU, out=out, on_batch=lambda _: None)
    return out


class TestExtraction:
    def test_the_second_view_is_the_mirrored_image(self, config: ml.TrainConfig) -> None:
        image_NHWC, _ = colour_images(70)
        feature_NVD = extract(image_NHWC, config)
        mirrored_NVD = extract(np.ascontiguousarray(image_NHWC[:, :, ::-1]), config)
        assert np.allclose(feature_NVD[:, 1], mirrored_NVD[:, 0], rtol=0.02, atol=0.02)
        assert not np.allclose(feature_NVD[:, 0], feature_NVD[:, 1], rtol=0.02, atol=0.02)

    def test_the_caller_hears_of_every_batch_and_may_stop(self, config: ml.TrainConfig) -> None:
        image_NHWC, _ = colour_images(40)
        seen: list[int] = []

        def stop_after_two(num_done: int) -> None:
            seen.append(num_done)
            if len(seen) == 2:
                raise KeyboardInterrupt

        out = np.zeros((40, ml.NUM_VIEWS, ml.num_features(config)), dtype=np.float16)
        with pytest.raises(KeyboardInterrupt):
            ml.extract_features(image_NHWC, config, device=CPU, out=out, on_batch=stop_after_two)
        assert seen == [CPU_BATCH_SIZE, 2 * CPU_BATCH_SIZE]

    def test_a_place_of_another_shape_is_refused(self, config: ml.TrainConfig) -> None:
        image_NHWC, _ = colour_images(4)
        out = np.zeros((5, ml.NUM_VIEWS, 8), dtype=np.float16)
        with pytest.raises(ValueError, match="features of 4 images do not fit"):
            ml.extract_features(image_NHWC, config, device=CPU, out=out, on_batch=lambda _: None)

    def test_a_frozen_network_needs_weights_and_a_size(self, config: ml.TrainConfig) -> None:
        with pytest.raises(ValueError, match="needs weights"):
            replace(config, pretrained=None)
        with pytest.raises(ValueError, match="needs weights"):
            replace(config, input_size=None)


class TestTrainedHead:
    def test_it_finds_planted_wrong_labels(self, config: ml.TrainConfig) -> None:
        image_NHWC, label_N = colour_images(200)
        given_N = with_wrong_labels(label_N, num_wrong=20, num_classes=3)
        feature_NVD = extract(image_NHWC, config)
        state = run_training(feature_NVD, given_N, config)[-1]
        findings = ml.score(state, given_N, feature_NVD.mean(axis=1))
        is_wrong_N = given_N != label_N
        assert np.mean(findings.flagged[is_wrong_N]) >= 0.9
        assert np.mean(is_wrong_N[findings.flagged]) >= 0.9
        agreement_N = findings.signals["neighbour_agreement"]
        assert agreement_N[is_wrong_N].mean() < 0.3 < agreement_N[~is_wrong_N].mean()

    def test_a_resumed_run_equals_an_uninterrupted_one(self, config: ml.TrainConfig) -> None:
        image_NHWC, label_N = colour_images(70)
        feature_NVD = extract(image_NHWC, config)
        whole = run_training(feature_NVD, label_N, config)
        resumed = run_training(feature_NVD, label_N, config, state=whole[2])
        expected, actual = whole[-1].to_tensors()[0], resumed[-1].to_tensors()[0]
        for name, tensor in expected.items():
            assert torch.equal(tensor, actual[name]), name

    def test_the_delivered_network_predicts_what_the_head_does(
        self, config: ml.TrainConfig
    ) -> None:
        image_NHWC, label_N = colour_images(70)
        feature_NVD = extract(image_NHWC, config)
        state = run_training(feature_NVD, label_N, config)[-1]
        weights, card = ml.export_model(state, ["a", "b", "c"])
        network = ml.build_network(
            card["architecture"], 3, card["width"], image_size=card["image_size"]
        )
        network.load_state_dict(weights)
        image_BCHW = resized(torch.from_numpy(image_NHWC), card["image_size"][0]) / 255.0
        mean, std = (torch.tensor(card[name]).view(3, 1, 1) for name in ("mean", "std"))
        with torch.no_grad():
            predicted_N = network.eval()((image_BCHW - mean) / std).argmax(dim=1).numpy()
        head = ml.evaluate(state, feature_NVD[:, :1], label_N, device=CPU)
        assert np.mean(predicted_N == label_N) == pytest.approx(head.accuracy, abs=0.03)

    def test_unfit_features_are_explained(self, config: ml.TrainConfig) -> None:
        image_NHWC, label_N = colour_images(20)
        feature_NVD = extract(image_NHWC, config)
        with pytest.raises(ValueError, match="float16 of shape"):
            run_training(feature_NVD.astype(np.float32), label_N, config)
        feature_NVD[3, 1, 2] = np.nan
        with pytest.raises(ValueError, match="must be finite"):
            run_training(feature_NVD, label_N, config)

    def test_features_of_other_samples_are_refused(self, config: ml.TrainConfig) -> None:
        image_NHWC, label_N = colour_images(20)
        feature_NVD = extract(image_NHWC, config)
        state = run_training(feature_NVD, label_N, replace(config, epochs=1))[-1]
        with pytest.raises(ValueError, match="features of 20 samples needed, not 19"):
            ml.score(state, label_N, feature_NVD[1:, 0])


class TestTrainedFeatures:
    def test_neighbours_by_the_trained_network_speak_against_wrong_labels(self) -> None:
        image_NHWC, label_N, given_N, state = noisy_run()
        feature_ND = ml.trained_features(state, image_NHWC, device=CPU)
        assert feature_ND.shape == (160, 16)
        findings = ml.score(state, given_N, feature_ND)
        is_wrong_N = given_N != label_N
        assert np.mean(findings.flagged[is_wrong_N]) >= 0.9
        assert np.mean(is_wrong_N[findings.flagged]) >= 0.9
        agreement_N = findings.signals["neighbour_agreement"]
        assert agreement_N[is_wrong_N].mean() < 0.3 < agreement_N[~is_wrong_N].mean()

    @pytest.mark.parametrize("flip", [True, False])
    def test_an_image_and_its_mirror_image_are_alike_where_training_mirrors(
        self, *, flip: bool
    ) -> None:
        image_NHWC, label_N = colour_images(20)
        config = ml.TrainConfig(epochs=1, width=4, batch_size=10, flip=flip)
        state = run_training(image_NHWC, label_N, config)[-1]
        seen, mirrored = (
            ml.trained_features(state, np.ascontiguousarray(images), device=CPU)
            for images in (image_NHWC, image_NHWC[:, :, ::-1])
        )
        assert np.allclose(seen, mirrored, rtol=0.02, atol=0.02) == flip

    def test_a_head_has_none(self, config: ml.TrainConfig) -> None:
        image_NHWC, label_N = colour_images(20)
        feature_NVD = extract(image_NHWC, config)
        state = run_training(feature_NVD, label_N, replace(config, epochs=1))[-1]
        with pytest.raises(ValueError, match="has none of its own"):
            ml.trained_features(state, image_NHWC, device=CPU)


class TestHead:
    def test_put_into_a_network_it_gives_the_same_logits(self) -> None:
        network, whole = (build_network("resnet9", 10, 4) for _ in range(2))
        whole.load_state_dict(network.state_dict())
        _, num_features = cut_head(network)
        head = linear_head(num_features, 3)
        with torch.no_grad():
            for tensor in head.state_dict().values():
                tensor.copy_(torch.rand(tensor.shape) + 0.5)
        put_head(whole, head)
        image_BCHW = torch.rand(5, 3, 16, 16)
        with torch.no_grad():
            apart = head(network.eval()(image_BCHW))
            joined = whole.eval()(image_BCHW)
        torch.testing.assert_close(joined, apart, rtol=1e-4, atol=1e-4)

    def test_a_network_of_other_features_is_refused(self) -> None:
        with pytest.raises(ValueError, match="a head for 5 features, not 16"):
            put_head(build_network("resnet9", 10, 4), linear_head(5, 3))

    def test_a_network_without_a_linear_layer_has_none(self) -> None:
        with pytest.raises(ValueError, match="no head"):
            cut_head(torch.nn.ReLU())
