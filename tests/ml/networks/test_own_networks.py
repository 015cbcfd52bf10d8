import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

import ml
from ml.device import compute_dtype
from ml.networks import ARCHITECTURES, check_architecture
from ml.seeding import seeded_weights

OWN = ("resnet9", "preact-resnet18", "efficientnet-lite0")


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)


@pytest.mark.parametrize("architecture", OWN)
class TestOwnNetwork:
    @pytest.mark.parametrize("size", [(8, 8), (9, 9), (32, 32), (48, 17), (64, 64)])
    def test_takes_images_from_8_to_64_pixels(
        self, architecture: str, size: tuple[int, int]
    ) -> None:
        network = ml.build_network(architecture, 7, 8, image_size=size)
        assert network(torch.zeros(2, 3, *size)).shape == (2, 7)

    def test_one_step_lowers_the_loss_on_its_batch(self, architecture: str) -> None:
        with seeded_weights(0):
            network = ml.build_network(architecture, 4, 8)
        image_BCHW = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(1))
        label_B = torch.arange(16) % 4
        optimizer = torch.optim.SGD(network.parameters(), lr=0.003)
        before = functional.cross_entropy(network(image_BCHW), label_B)
        torch.autograd.backward(before)
        optimizer.step()
        after = functional.cross_entropy(network(image_BCHW), label_B)
        assert after.item() < before.item() - 0.005

    def test_weights_are_a_function_of_the_seed_and_a_pass_draws_nothing(
        self, architecture: str
    ) -> None:
        with seeded_weights(3):
            first = ml.build_network(architecture, 4, 8)
            state = torch.get_rng_state()
            first.train()(torch.zeros(2, 3, 16, 16))
            assert torch.equal(torch.get_rng_state(), state)
        with seeded_weights(3):
            second = ml.build_network(architecture, 4, 8)
        for name, tensor in second.state_dict().items():
            if "running" not in name and "num_batches" not in name:
                assert torch.equal(first.state_dict()[name], tensor), name

    def test_is_built_without_storage_and_then_filled(self, architecture: str) -> None:
        filled = ml.build_network(architecture, 4, 8)
        state = torch.get_rng_state()
        with torch.device("meta"):
            empty = ml.build_network(architecture, 4, 8)
        assert torch.equal(torch.get_rng_state(), state)
        empty.load_state_dict(filled.state_dict(), assign=True)
        image_BCHW = torch.ones(2, 3, 16, 16)
        assert torch.equal(empty.eval()(image_BCHW), filled.eval()(image_BCHW))


class TestSizes:
    def test_resnet9_of_the_standard_width(self) -> None:
        assert num_parameters(ml.build_network("resnet9", 10, 32)) == 611_882

    def test_preact_resnet18_is_the_published_one(self) -> None:
        assert num_parameters(ml.build_network("preact-resnet18", 10, 64)) == 11_171_274

    def test_efficientnet_lite0_is_the_published_one(self) -> None:
        assert num_parameters(ml.build_network("efficientnet-lite0", 1000, 32)) == 4_652_008


class TestResnet9:
    def test_names_of_weights_are_those_that_plain_pytorch_gives(self) -> None:
        names = list(ml.build_network("resnet9", 7, 8).state_dict())
        assert len(names) == 50
        assert [name for name in names if name.endswith("weight")] == [
            "0.0.weight",
            "0.1.weight",
            "1.0.weight",
            "1.1.weight",
            "2.first.0.weight",
            "2.first.1.weight",
            "2.second.0.weight",
            "2.second.1.weight",
            "3.0.weight",
            "3.1.weight",
            "4.0.weight",
            "4.1.weight",
            "5.first.0.weight",
            "5.first.1.weight",
            "5.second.0.weight",
            "5.second.1.weight",
            "7.weight",
        ]


class TestPreactResnet18:
    def test_halves_the_resolution_three_times(self) -> None:
        network = ml.build_network("preact-resnet18", 7, 8)
        assert isinstance(network, nn.Sequential)
        assert network[:-2](torch.zeros(1, 3, 32, 32)).shape == (1, 64, 4, 4)

    def test_the_last_block_is_not_activated(self) -> None:
        """As published: only the stem and the blocks' insides are."""
        network = ml.build_network("preact-resnet18", 7, 8)
        assert isinstance(network, nn.Sequential)
        assert network[:-2](torch.randn(2, 3, 32, 32)).min().item() < 0.0


class TestEfficientnetLite0:
    def test_small_images_keep_twice_the_resolution(self) -> None:
        small = ml.build_network("efficientnet-lite0", 7, 8, image_size=(64, 95))
        large = ml.build_network("efficientnet-lite0", 7, 8, image_size=(96, 128))
        assert isinstance(small, nn.Sequential)
        assert isinstance(large, nn.Sequential)
        assert small[:-2](torch.zeros(1, 3, 64, 95)).shape[2:] == (4, 6)
        assert large[:-2](torch.zeros(1, 3, 96, 128)).shape[2:] == (3, 4)


class TestNames:
    def test_an_unknown_architecture_names_similar_and_known_ones(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_torchvision(monkeypatch)
        message = "'resnet10000'; similar: resnet9.*; known: resnet9, preact-resnet18, eff"
        with pytest.raises(ValueError, match=message):
            ml.build_network("resnet10000", 7, 8)

    def test_without_torchvision_its_networks_are_unknown_and_the_hint_says_why(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_torchvision(monkeypatch)
        with pytest.raises(ValueError, match=r"pip install 'labelaudit\[torchvision\]'"):
            check_architecture("mobilenet_v3_small")

    def test_our_own_need_no_torchvision(self, monkeypatch: pytest.MonkeyPatch) -> None:
        without_torchvision(monkeypatch)
        assert tuple(ARCHITECTURES) == OWN
        for architecture in OWN:
            check_architecture(architecture)
            ml.build_network(architecture, 3, 8)

    def test_importing_the_library_does_not_import_torchvision(self) -> None:
        code = "import sys, ml; sys.exit('torchvision' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    @pytest.mark.parametrize("size", [(0, 32), (32, -1)])
    def test_an_image_without_pixels_is_refused(self, size: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="at least one pixel"):
            ml.build_network("resnet9", 7, 8, image_size=size)


class TestPrecision:
    def test_a_cpu_without_bfloat16_computes_in_float32(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
        assert compute_dtype(torch.device("cpu")) is torch.float32
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
        assert compute_dtype(torch.device("cpu")) is torch.bfloat16
