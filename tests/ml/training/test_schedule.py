import numpy as np
import pytest

from ml.training.methods import METHODS, Correction, Method, Mixing, get_method
from ml.training.schedule import (
    PAPER_MIXING,
    PAPER_PLAIN,
    STANDARD,
    Schedule,
    cosine,
    nominal_schedule,
)


def corrected_epochs(schedule_name: str, method: Method, epochs: int) -> list[int]:
    plan = nominal_schedule(schedule_name, method).scaled(epochs)
    return [
        epoch
        for epoch in range(1, epochs + 1)
        if plan.method_at(method, epoch).correction is not Correction.NONE
    ]


class TestAsPublished:
    def test_the_rate_of_mixing_methods_falls_at_100_and_250(self) -> None:
        rates = [PAPER_MIXING.learning_rate_at(epoch, 0.5, 0.1) for epoch in range(1, 301)]
        assert rates[:99] == [0.1] * 99
        assert rates[99:249] == pytest.approx([0.01] * 150)
        assert rates[249:] == pytest.approx([0.001] * 51)

    def test_the_rate_of_plain_methods_falls_at_30_80_and_110(self) -> None:
        rates = [PAPER_PLAIN.learning_rate_at(epoch, 0.0, 0.1) for epoch in range(1, 121)]
        assert np.flatnonzero(np.diff(rates)).tolist() == [28, 78, 108]

    @pytest.mark.parametrize(
        ("name", "length", "first"),
        [("m-dyr-h", 300, 106), ("m-dyr-s", 300, 106), ("md-dyr-sh", 300, 111),
         ("md-dyr-h", 300, 111), ("dy-h", 120, 31), ("st-s", 120, 31)],
    )  # fmt: skip
    def test_bootstrapping_begins_when_published(self, name: str, length: int, first: int) -> None:
        method = get_method(name)
        assert nominal_schedule("paper", method).epochs == length
        assert corrected_epochs("paper", method, length) == list(range(first, length + 1))

    def test_dynamic_mixup_alone_has_five_epochs(self) -> None:
        method = get_method("md-dyr-sh")
        guided = [
            epoch
            for epoch in range(1, 301)
            if PAPER_MIXING.method_at(method, epoch).mixing is Mixing.DYNAMIC
            and PAPER_MIXING.method_at(method, epoch).correction is Correction.NONE
        ]
        assert guided == [106, 107, 108, 109, 110]
        assert PAPER_MIXING.method_at(method, 105) == get_method("mixup")

    def test_the_temperature_falls_over_89_epochs_and_stays(self) -> None:
        expected = np.linspace(1.0, 0.001, 89)
        actual = [PAPER_MIXING.temperature_at(epoch) for epoch in range(111, 200)]
        np.testing.assert_allclose(actual, expected, rtol=1e-12)
        assert PAPER_MIXING.temperature_at(1) == 1.0
        assert PAPER_MIXING.temperature_at(300) == 0.001


class TestScaled:
    @pytest.mark.parametrize("schedule_name", ["paper", "standard"])
    @pytest.mark.parametrize("name", METHODS)
    @pytest.mark.parametrize("epochs", [20, 30, 60, 150])
    def test_proportions_are_kept(self, schedule_name: str, name: str, epochs: int) -> None:
        method = get_method(name)
        nominal = nominal_schedule(schedule_name, method)
        share = len(corrected_epochs(schedule_name, method, epochs)) / epochs
        expected = len(corrected_epochs(schedule_name, method, nominal.epochs)) / nominal.epochs
        assert share == pytest.approx(expected, abs=1 / epochs)
        plan = nominal.scaled(epochs)
        for drop, nominal_drop in zip(plan.drops, nominal.drops, strict=True):
            assert (drop - 1) / epochs == pytest.approx(
                (nominal_drop - 1) / nominal.epochs, abs=0.5 / epochs
            )

    @pytest.mark.parametrize("schedule", [STANDARD, PAPER_MIXING, PAPER_PLAIN])
    def test_the_nominal_length_changes_nothing(self, schedule: Schedule) -> None:
        assert schedule.scaled(schedule.epochs) == schedule

    @pytest.mark.parametrize("name", METHODS)
    def test_the_first_epoch_never_asks_a_noise_model(self, name: str) -> None:
        method = get_method(name)
        for epochs in range(1, 40):
            plan = nominal_schedule("paper", method).scaled(epochs)
            assert not plan.method_at(method, 1).uses_noise_model

    def test_twenty_epochs_of_the_hardest_method_reach_the_hard_target(self) -> None:
        plan = PAPER_MIXING.scaled(20)
        assert plan.temperature_at(20) == 0.001


def test_the_cosine_rises_and_falls_to_nothing() -> None:
    rates = [cosine(progress, 0.1) for progress in np.linspace(0.0, 1.0, 101)]
    assert max(rates) == pytest.approx(0.1)
    assert rates[0] < 0.01
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(rates[15:]) < 0.0)


def test_an_unknown_schedule_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known: standard, paper"):
        nominal_schedule("lazy", get_method("ce"))
