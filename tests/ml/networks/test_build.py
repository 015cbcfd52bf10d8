import pytest
import torch
from torch import Tensor, nn

import ml
from ml.networks import check_architecture
from ml.networks.build import torchvision_names
from ml.seeding import seeded_weights

pytest.importorskip("torchvision")

ONE_OF_EACH_FAMILY = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_0",
    "swin_t",
    "swin_v2_t",
    "vgg11_bn",
    "vit_b_32",
    "wide_resnet50_2",
)
FOR_SMALL_IMAGES = (
    "convnext_tiny",
    "densenet121",
    "googlenet",
    "mnasnet0_5",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
)


def num_last_positions(network: nn.Module, size: tuple[int, int]) -> int:
    """Return at how many positions the last spatial layer looks."""
    counts: list[int] = []

    def note(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(output.shape[2] * output.shape[3])

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    network.eval()(torch.empty(1, 3, *size))
    return counts[-1]


class TestFamilies:
    @pytest.mark.parametrize("architecture", ONE_OF_EACH_FAMILY)
    def test_is_built_without_storage_or_draws_and_gives_plain_logits(
        self, architecture: str
    ) -> None:
        state = torch.get_rng_state()
        with torch.device("meta"):
            network = ml.build_network(architecture, 7, 32, image_size=(224, 224))
            logits_BC = network.train()(torch.empty(2, 3, 224, 224))
        assert logits_BC.shape == (2, 7)
        assert all(tensor.is_meta for tensor in network.state_dict().values())
        assert {name for name, _ in network.named_buffers()} <= set(network.state_dict())
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("architecture", FOR_SMALL_IMAGES)
    def test_small_images_keep_resolution_and_large_ones_the_published_stem(
        self, architecture: str
    ) -> None:
        with torch.device("meta"):
            small = ml.build_network(architecture, 7, 32, image_size=(32, 64))
            large = ml.build_network(architecture, 7, 32, image_size=(96, 128))
            assert num_last_positions(small, (32, 64)) >= 8
            assert 12 <= num_last_positions(large, (96, 128)) <= 48

    @pytest.mark.parametrize(
        "architecture", ["resnet18", "mobilenet_v3_small", "regnet_x_400mf", "squeezenet1_0"]
    )
    def test_weights_are_a_function_of_the_seed_and_a_pass_draws_nothing(
        self, architecture: str
    ) -> None:
        with seeded_weights(3):
            first = ml.build_network(architecture, 4, 32, image_size=(32, 32))
        with seeded_weights(3):
            second = ml.build_network(architecture, 4, 32, image_size=(32, 32))
            state = torch.get_rng_state()
            assert second.train()(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
            assert torch.equal(torch.get_rng_state(), state)
        for (name, tensor), (_, other) in zip(
            first.named_parameters(), second.named_parameters(), strict=True
        ):
            assert torch.equal(tensor, other), name

    def test_blocks_are_not_dropped_at_random(self) -> None:
        network = ml.build_network("efficientnet_b0", 4, 32, image_size=(32, 32))
        state = torch.get_rng_state()
        network.train()(torch.zeros(2, 3, 32, 32))
        assert torch.equal(torch.get_rng_state(), state)

    def test_batch_statistics_follow_within_a_short_training(self) -> None:
        with torch.device("meta"):
            network = ml.build_network("mnasnet0_5", 4, 32)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        assert {norm.momentum for norm in norms} == {0.1}


class TestStem:
    @pytest.mark.parametrize("size", [None, (32, 32)])
    def test_of_a_resnet_is_3x3_without_stride_or_pooling(
        self, size: tuple[int, int] | None
    ) -> None:
        with torch.device("meta"):
            network = ml.build_network("resnet18", 7, 32, image_size=size)
        stem = network.get_submodule("conv1")
        assert isinstance(stem, nn.Conv2d)
        assert (stem.kernel_size, stem.stride, stem.padding) == ((3, 3), (1, 1), (1, 1))
        assert stem.bias is None
        assert isinstance(network.get_submodule("maxpool"), nn.Identity)

    @pytest.mark.parametrize(("size", "stride"), [((95, 300), 1), ((96, 96), 2)])
    def test_the_smaller_side_decides(self, size: tuple[int, int], stride: int) -> None:
        with torch.device("meta"):
            network = ml.build_network("resnet18", 7, 32, image_size=size)
        stem = network.get_submodule("conv1")
        assert isinstance(stem, nn.Conv2d)
        assert stem.stride == (stride, stride)

    def test_of_vgg_stays(self) -> None:
        with torch.device("meta"):
            network = ml.build_network("vgg11", 7, 32, image_size=(64, 64))
        pools = [module for module in network.modules() if isinstance(module, nn.MaxPool2d)]
        assert len(pools) == 5


class TestSizes:
    @pytest.mark.parametrize(
        ("architecture", "size"),
        [
            ("alexnet", (32, 32)),
            ("inception_v3", (32, 32)),
            ("maxvit_t", (64, 64)),
            ("vgg11", (16, 16)),
            ("vit_b_16", (40, 40)),
            ("vit_b_16", (64, 32)),
        ],
    )
    def test_what_cannot_run_is_refused_by_name_and_size(
        self, architecture: str, size: tuple[int, int]
    ) -> None:
        message = f"{architecture} cannot run on images of {size[0]} x {size[1]} pixels"
        with pytest.raises(ValueError, match=message):
            ml.build_network(architecture, 7, 32, image_size=size)

    def test_a_transformer_is_made_for_the_given_size(self) -> None:
        with torch.device("meta"):
            network = ml.build_network("vit_b_16", 7, 32, image_size=(64, 64))
        assert network.get_parameter("encoder.pos_embedding").shape == (1, 17, 768)

    def test_a_transformer_must_know_the_size(self) -> None:
        with pytest.raises(ValueError, match="vit_b_16 is made for one size of images"):
            ml.build_network("vit_b_16", 7, 32)


class TestNames:
    def test_all_classification_networks_are_known_and_no_others(self) -> None:
        names = torchvision_names()
        assert set(ONE_OF_EACH_FAMILY) <= set(names)
        for name in names:
            check_architecture(name)
        with pytest.raises(ValueError, match="unknown architecture 'fcn_resnet50'"):
            check_architecture("fcn_resnet50")

    def test_an_unknown_name_is_told_similar_ones(self) -> None:
        with pytest.raises(ValueError, match=r"similar: .*resnet18.*; known: resnet9"):
            check_architecture("resnet_18")
