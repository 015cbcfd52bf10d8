from typing import Any

import pytest

from benchmarks.study.grid import parse_list, parse_options
from labelaudit.errors import InputError
from tests.benchmarks.study.support import tiny_grid


def test_a_seed_is_finished_for_all_methods_before_the_next_begins() -> None:
    grid = tiny_grid(noise_levels=(0.0, 0.5), seeds=(3, 4))
    assert [cell.name for cell in grid.cells()] == [
        "ce-uniform0-seed3", "m-dyr-h-uniform0-seed3",
        "ce-uniform0.5-seed3", "m-dyr-h-uniform0.5-seed3",
        "ce-uniform0-seed4", "m-dyr-h-uniform0-seed4",
        "ce-uniform0.5-seed4", "m-dyr-h-uniform0.5-seed4",
    ]  # fmt: skip


def test_a_cell_trains_with_the_preset_the_options_and_its_own_method_and_seed() -> None:
    grid = tiny_grid(preset="paper", methods=("mixup",), seeds=(7,), options={"width": 8})
    config = grid.config(grid.cells()[0])
    assert (config.method, config.seed, config.width, config.epochs) == ("mixup", 7, 8, 3)
    assert (config.schedule, config.mixup_alpha) == ("paper", 32.0)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"methods": ("ce", "magic")}, "magic"),
        ({"methods": ()}, "methods"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"seeds": (-1,)}, "seed"),
        ({"noise_levels": (0.5, 1.0)}, "noise levels"),
        ({"noise_kind": "pink"}, "pink"),
        ({"preset": "huge"}, "huge"),
        ({"options": {"epochs": 0}}, "epochs"),
        ({"options": {"colour": "red"}}, "colour"),
    ],
)
def test_a_grid_that_cannot_be_run_says_why(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word) as raised:
        tiny_grid(**changes).check()
    assert raised.value.code == "invalid_option"


def test_options_are_typed_by_the_training_s_fields() -> None:
    texts = ["epochs=7", "learning_rate=0.05", "nesterov=false", "flip=none", "schedule=paper"]
    assert parse_options(texts) == {
        "epochs": 7, "learning_rate": 0.05, "nesterov": False, "flip": None, "schedule": "paper",
    }  # fmt: skip
    assert parse_options(["flip=True"]) == {"flip": True}


@pytest.mark.parametrize(
    "text", ["epochs", "epochs=many", "nesterov=perhaps", "colour=red", "method=ce", "seed=1"]
)
def test_what_is_no_option_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_options([text])


def test_lists_are_parted_by_commas() -> None:
    assert parse_list("0, 0.5", float) == (0.0, 0.5)
    with pytest.raises(InputError, match="0;1"):
        parse_list("0;1", float)
