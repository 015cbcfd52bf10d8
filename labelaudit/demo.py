"""`labelaudit demo`: the whole way on real digits whose wrong labels are known."""
# ruff: noqa: PLC0415 - scikit-learn loads only when the extra is known to be there

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labelaudit.audit import AuditRequest, run_audit
from labelaudit.extras import require_demo, require_worker
from labelaudit.findings_file import read_flagged
from labelaudit.terminal import say

_SHARE_WRONG = 0.2
_SEED = 1797


@dataclass(frozen=True, slots=True)
class Score:
    """How good the flags are."""

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
    from labelaudit.digits import write_digits, write_truth

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
