"""`labelaudit demo`: the whole way on real handwritten digits whose wrong labels are known."""
# ruff: noqa: PLC0415 - the digits' libraries load only where the extra is known to be installed

import csv
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labelaudit.audit import AuditRequest, run_audit
from labelaudit.extras import require_demo, require_worker
from labelaudit.files import replacing
from labelaudit.results import read_flagged
from labelaudit.terminal import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHARE_WRONG = 0.2
_SEED = 1797
_NUM_CLASSES = 10
_BRIGHTEST = 16  # scikit-learn's digits count the dark pixels of 4 x 4 blocks


@dataclass(frozen=True, slots=True)
class Score:
    """How well the flags match the truth."""

    num_flagged: int
    num_wrong: int
    num_hits: int

    @property
    def precision(self) -> float:
        """Share of the flagged that are wrong."""
        return self.num_hits / self.num_flagged if self.num_flagged else 0.0

    @property
    def recall(self) -> float:
        """Share of the wrong that are flagged."""
        return self.num_hits / self.num_wrong if self.num_wrong else 0.0


def run_demo(out: Path, *, num_images: int | None = None) -> None:
    """Plant wrong labels, audit, and compare the flags with the truth; by default of all digits."""
    require_worker()
    require_demo()
    with tempfile.TemporaryDirectory(prefix="labelaudit-demo-") as name:
        images = Path(name) / "digits"
        truths = write_digits(images, share_wrong=_SHARE_WRONG, seed=_SEED, num_images=num_images)
        num_wrong = sum(truth.wrong for truth in truths)
        say(f"{len(truths):,} handwritten digits, {num_wrong} of them with a wrong label")
        run_audit(AuditRequest(images, out, options={"seed": 0}))
    write_truth(truths, out / "truth.csv")
    wrong = {truth.path for truth in truths if truth.wrong}
    score = score_flags(read_flagged(out / "findings.csv"), wrong)
    say(
        f"against {out / 'truth.csv'}: precision {score.precision:.3f}, "
        f"recall {score.recall:.3f} ({score.num_hits} of {score.num_wrong} wrong labels found, "
        f"{score.num_flagged - score.num_hits} right ones flagged)"
    )


def score_flags(flags: Iterable[tuple[str, bool]], wrong: set[str]) -> Score:
    """Compare the flags by path with the paths that are wrong."""
    flagged = {path for path, is_flagged in flags if is_flagged}
    return Score(len(flagged), len(wrong), len(flagged & wrong))


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth about one image."""

    path: str
    """As in the findings: below the folder of the images."""
    true_label: str
    wrong: bool
    """Whether it lies in another class's folder."""


def write_digits(
    folder: Path, *, share_wrong: float, seed: int, num_images: int | None = None
) -> list[Truth]:
    """Write 8-bit PNG files in class folders; exactly `share_wrong` of them in a wrong one.

    The files are numbered in a random order: neither name nor order tells the true class. By
    default all 1,797 are written.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    generator = np.random.default_rng(seed)
    given = data.target[:num_images].copy()
    num_images = len(given)
    moved = generator.choice(num_images, size=round(share_wrong * num_images), replace=False)
    given[moved] = (given[moved] + generator.integers(1, _NUM_CLASSES, moved.size)) % _NUM_CLASSES
    truths = []
    for number, index in enumerate(generator.permutation(num_images)):
        path = f"{given[index]}/img-{number:04}.png"
        _write_image(folder / path, data.images[index])
        true_label = int(data.target[index])
        truths.append(Truth(path, str(true_label), wrong=bool(given[index] != true_label)))
    return truths


def write_truth(truths: Iterable[Truth], target: Path) -> None:
    """Write `truth.csv`."""
    with (
        replacing(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "true_label", "wrong"))
        for truth in truths:
            writer.writerow((truth.path, truth.true_label, str(truth.wrong).lower()))


def _write_image(target: Path, intensity_HW: "NDArray[np.float64]") -> None:  # noqa: N803 - a shape suffix
    import numpy as np
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.rint(intensity_HW * (255 / _BRIGHTEST)).astype(np.uint8)
    Image.fromarray(pixels).save(target)
