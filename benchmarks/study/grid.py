"""What is run: the cells of a study and the options of each."""

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import ml
from benchmarks.study.data import check_kind
from labelaudit.errors import InputError


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


T = TypeVar("T")
_BOOLEANS = {"true": True, "false": False}
_OF_THE_GRID = frozenset({"method", "seed"})


def parse_list(text: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    """Return the values of a list with commas.

    Raises:
        InputError: When one cannot be read.
    """
    try:
        return tuple(kind(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"cannot read the list {text!r}", code="invalid_option") from error


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Return options by name, each value of its field's type.

    Raises:
        InputError: When a text is no option; the message names the known ones.
    """
    hints = get_type_hints(ml.TrainConfig)
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in hints or name in _OF_THE_GRID:
            known = ", ".join(name for name in hints if name not in _OF_THE_GRID)
            raise InputError(
                f"no option name=value: {text!r}; known names: {known}", code="invalid_option"
            )
        options[name] = _parse(name, value, hints[name])
    return options


def _parse(name: str, text: str, hint: Any) -> Any:
    for kind in _alternatives(hint):
        try:
            return _as_kind(text, kind)
        except ValueError:
            continue
    raise InputError(f"{name} cannot be {text!r}", code="invalid_option")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in {Union, types.UnionType}:
        return get_args(hint)
    return (hint,)


def _as_kind(text: str, kind: Any) -> Any:
    if kind is types.NoneType or kind is bool:
        words: dict[str, Any] = {"none": None} if kind is types.NoneType else _BOOLEANS
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]
    if get_origin(kind) is Literal or kind is str:
        return text  # the training says which words it knows
    return kind(text)
