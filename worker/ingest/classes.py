"""The classes of a data set, and what is wrong with them."""

from collections import Counter
from collections.abc import Collection, Mapping

from worker.files.errors import FailureCode, UploadError
from worker.files.names import listed
from worker.ingest.layout import TEST, TRAIN

_MIN_CLASSES = 2
_MIN_TRAIN_SAMPLES = 2


class ClassTable:
    """Class names in order, with their number of samples by split."""

    def __init__(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Sort the numbers of samples by split and class name."""
        self.names = sorted({name for _, name in counts})
        self.index = {name: label for label, name in enumerate(self.names)}
        self.num_train = {name: counts.get((TRAIN, name), 0) for name in self.names}
        self.splits = {TRAIN: sum(self.num_train.values())}
        self.splits[TEST] = sum(counts.values()) - self.splits[TRAIN]

    def require_enough(self) -> None:
        """Refuse what nobody could audit.

        Raises:
            UploadError: There is nothing to tell apart.
        """
        usable = [name for name in self.names if self.num_train[name] >= _MIN_TRAIN_SAMPLES]
        if len(usable) < _MIN_CLASSES:
            raise UploadError(
                FailureCode.TOO_FEW_CLASSES,
                f"An audit needs {_MIN_CLASSES} classes with at least {_MIN_TRAIN_SAMPLES} "
                f"training images each; the upload has {len(usable)} (classes found: "
                f"{listed(self.names) or 'none'}). Put each class into a folder of its own.",
            )

    def warnings(self, *, named: Collection[str]) -> list[str]:
        """Return what a user should know; `named` are all class folders that were found."""
        rare = [name for name, n in self.num_train.items() if 0 < n < _MIN_TRAIN_SAMPLES]
        unseen = [name for name, n in self.num_train.items() if n == 0]
        empty = sorted(set(named) - set(self.names))
        spelled = Counter(name.casefold() for name in self.names)
        twins = [name for name in self.names if spelled[name.casefold()] > 1]
        findings = (
            (rare, "Classes with a single training image, too few to judge:"),
            (unseen, "Classes of the test split without any training image:"),
            (empty, "Class folders without a usable image, left out:"),
            (twins, "Class names that differ only in upper and lower case:"),
        )
        return [f"{text} {listed(names)}." for names, text in findings if names]
