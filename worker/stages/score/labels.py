"""Given labels and class names: numbers and texts that must fit each other."""

from collections.abc import Sequence

import numpy as np

from worker.files.names import listed, printable
from worker.stages.score.arrays import (
    CLASS_NAMES,
    GIVEN_LABEL,
    MAX_COLUMNS,
    PRED_PROBS,
    Block,
    IntArray,
    InvalidScoresError,
)

_MAX_NAME = 200


class LabelRange:
    """Checks labels that are numbers."""

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes

    def checked(self, block: Block, first_row: int) -> IntArray:
        """Return the labels of any integer type as they are.

        Raises:
            InvalidScoresError: One is of no class.
        """
        wrong = np.flatnonzero((block < 0) | (block >= self._num_classes))
        if len(wrong):
            raise InvalidScoresError(
                f"row {first_row + int(wrong[0])} of {GIVEN_LABEL} is {block[wrong[0]]}; "
                f"the {self._num_classes} columns of {PRED_PROBS} are the classes 0 to "
                f"{self._num_classes - 1}"
            )
        return block.astype(np.int64)


class NamedLabels:
    """Labels that are class names, numbered in the order of their first appearance."""

    def __init__(self) -> None:
        self._code_of: dict[str, int] = {}

    def encoded(self, names: Sequence[str | None], first_row: int) -> IntArray:
        """Return the numbers of these labels.

        Raises:
            InvalidScoresError: One is missing, or there are too many different ones.
        """
        codes = np.empty(len(names), dtype=np.int64)
        for i, name in enumerate(names):
            if name is None:
                raise InvalidScoresError(f"row {first_row + i} of {GIVEN_LABEL} is null")
            codes[i] = self._code_of.setdefault(name, len(self._code_of))
            if len(self._code_of) > MAX_COLUMNS:
                raise InvalidScoresError(
                    f"row {first_row + i} of {GIVEN_LABEL} holds the {MAX_COLUMNS + 1:,}th "
                    f"different name; at most {MAX_COLUMNS:,} classes are taken"
                )
        return codes

    def resolved(
        self, codes: IntArray, class_names: list[str] | None, num_classes: int
    ) -> tuple[IntArray, list[str]]:
        """Return the labels as places among the class names, and these.

        Raises:
            InvalidScoresError: The names do not tell which column is which class.
        """
        if class_names is None:
            if len(self._code_of) != num_classes:
                raise InvalidScoresError(
                    f"{GIVEN_LABEL} holds {len(self._code_of)} different names, but {PRED_PROBS} "
                    f"has {num_classes} columns; put all names, in the order of the columns, into "
                    f"the file's metadata as `{CLASS_NAMES}` (a JSON list)"
                )
            class_names = checked_names(sorted(self._code_of), num_classes)
        place_of = {name: place for place, name in enumerate(class_names)}
        unknown = [name for name in self._code_of if name not in place_of]
        if unknown:
            raise InvalidScoresError(
                f"{GIVEN_LABEL} holds names that are not in {CLASS_NAMES}: {listed(unknown)}"
            )
        places = np.array([place_of[name] for name in self._code_of], dtype=np.int64)
        return places[codes], class_names


def numbered_names(num_classes: int) -> list[str]:
    """Return names for classes that have none."""
    return [str(number) for number in range(num_classes)]


def checked_names(names: Sequence[object], num_classes: int) -> list[str]:
    """Return class names that can be shown and told apart.

    Raises:
        InvalidScoresError: They cannot, or are not as many as the classes.
    """
    if len(names) != num_classes:
        raise InvalidScoresError(
            f"{CLASS_NAMES} has {len(names)} names, but {PRED_PROBS} has {num_classes} columns"
        )
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or printable(name) != name:
            raise InvalidScoresError(
                f"name {place} of {CLASS_NAMES} is no text of 1 to {_MAX_NAME} characters that "
                "can be shown"
            )
        if seen.setdefault(name, place) != place:
            raise InvalidScoresError(
                f"names {seen[name]} and {place} of {CLASS_NAMES} are both '{name}'"
            )
    return list(seen)
