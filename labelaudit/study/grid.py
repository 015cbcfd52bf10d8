"""What is run: the cells of a study and the options of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import ml
from labelaudit.errors import InputError
from labelaudit.study.noise import check_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One training: a method on labels with noise of one kind, level and seed."""

    method: str
    noise_kind: str
    noise_level: float
    """Nominal, 0 to 1; how many labels are truly wrong is measured."""
    seed: int

    @property
    def noise(self) -> str:
        """Kind and level, as they stand in names of files."""
        return f"{self.noise_kind}{self.noise_level:g}"

    @property
    def name(self) -> str:
        """Name of the cell's files."""
        return f"{self.method}-{self.noise}-seed{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Methods x noise levels x seeds, all under the same options."""

    methods: tuple[str, ...]
    noise_levels: tuple[float, ...]
    seeds: tuple[int, ...]
    noise_kind: str = "uniform"
    preset: str = "standard"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `ml.TrainConfig` in place of the preset's."""

    def cells(self) -> list[Cell]:
        """Return all cells; a seed is finished for all methods before the next begins.

        Raises:
            InputError: When an axis is empty or holds a value that no cell can have.
        """
        for name in ("methods", "noise_levels", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise InputError(
                    f"{name} must name at least one value, and each once", code="invalid_option"
                )
        check_kind(self.noise_kind)
        if not all(0.0 <= level < 1.0 for level in self.noise_levels):
            raise InputError("noise levels must be at least 0 and below 1", code="invalid_option")
        return [
            Cell(method=method, noise_kind=self.noise_kind, noise_level=level, seed=seed)
            for seed, level, method in product(self.seeds, self.noise_levels, self.methods)
        ]

    def check(self) -> None:
        """Raise what running the grid would raise at its first cell of a wrong kind."""
        for cell in self.cells():
            self.config(cell)

    def config(self, cell: Cell) -> ml.TrainConfig:
        """Return the options of one cell's training.

        Raises:
            InputError: When they are none that a training can have.
        """
        options = {**self.options, "method": cell.method, "seed": cell.seed}
        try:
            return ml.make_config(self.preset, **options)
        except (TypeError, ValueError) as error:
            raise InputError(str(error), code="invalid_option") from error
