"""First looks, progress and re-calibrations of a job."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.accounts.schemas import Principal
from app.claims.service import ClaimService
from app.core.ids import not_found
from app.core.pagination import NUMBER_KEY, Cursors, PageRequest, paginate
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.learning.estimates import Stratum, stratified
from app.learning.repository import (
    VERIFIED,
    DifferenceRepository,
    FirstLookRepository,
    Judged,
    LearningRepository,
)
from app.learning.schemas import (
    ByChanceRead,
    ChangedRead,
    CurvePointRead,
    DifferenceRead,
    FirstLookRead,
    NextRead,
    NoDecisionsError,
    NoEarlierAuditError,
    NumberRead,
    ProgressRead,
    RatesRead,
    RecalibrationRead,
    ReliabilityRead,
    ShareRead,
    stored_calibration,
)
from app.models import Job, ResultVersion

NUM_NEXT = 100
CURVE_STEPS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def new_decisions(decided: Sequence[Judged], stored: dict[str, Any]) -> list[Judged]:
    """Return what has been decided since the last re-calibration."""
    until = stored.get("decided_until", 0)
    return [row for row in decided if row.verdict != VERIFIED and (row.entry_id or 0) > until]


def outlook(
    stored: dict[str, Any],
    p: Sequence[float],
    since: Sequence[Judged],
    *,
    expected_left: float,
) -> dict[str, Any]:
    """Return what is left: fields of `ProgressRead`.

    Args:
        stored: What the last re-calibration left, empty before the first.
        p: Probabilities of the next samples, worst first.
        since: What has been decided since it.
        expected_left: Sum of the probabilities of all undecided samples.
    """
    remaining = NumberRead(estimate=expected_left, low=None, high=None)
    curve = plain_curve(p, expected_left)
    if stored:
        remaining = less_found(stored["remaining"], sum(bool(row.says_wrong) for row in since))
        curve = [CurvePointRead.model_validate(point) for point in stored["curve"]]
    return {
        "num_new": len(since),
        "next": next_of(p),
        "remaining": remaining,
        "remaining_from": stored.get("remaining_from", "probabilities"),
        "curve": curve,
        "predictive_check": stored.get("predictive_check"),
    }


def next_of(p: Sequence[float]) -> NextRead:
    """Return what the next samples are worth, by their probabilities."""
    taken = p[:NUM_NEXT]
    return NextRead(
        num=len(taken),
        expected_precision=sum(taken) / len(taken) if taken else None,
        expected_found=sum(taken),
    )


def plain_curve(p: Sequence[float], expected_left: float) -> list[CurvePointRead]:
    """Return the curve by the probabilities alone: without any interval."""
    found = [0.0, *accumulate(p)]
    return [
        CurvePointRead(
            num=num,
            found=NumberRead(estimate=found[num], low=None, high=None),
            left=NumberRead(estimate=max(0.0, expected_left - found[num]), low=None, high=None),
        )
        for num in CURVE_STEPS
        if num < len(found)
    ]


def less_found(number: dict[str, Any], num_found: int) -> NumberRead:
    """Return what is left of a stored estimate after more wrong labels were found."""
    return NumberRead(**{name: max(0.0, value - num_found) for name, value in number.items()})


def by_chance(decided: Sequence[Judged], sizes: tuple[int, int]) -> ByChanceRead:
    """Return what chance alone says of all labels; `sizes` are of the flagged and of the others."""
    drawn = [row for row in decided if row.by_chance and row.says_wrong is not None]
    strata = [
        Stratum(
            num_samples=size,
            num_drawn=sum(row.flagged is is_flagged for row in drawn),
            num_wrong=sum(row.flagged is is_flagged and bool(row.says_wrong) for row in drawn),
        )
        for size, is_flagged in zip(sizes, (True, False), strict=True)
    ]
    return ByChanceRead(
        num_decided=len(drawn),
        num_wrong=sum(stratum.num_wrong for stratum in strata),
        noise_rate=ShareRead.of(stratified(strata)) if drawn else None,
    )


_UNPINNED = "p_unpinned"
_HALF = 0.5


class LearningService:
    """What decisions teach about an audit, of one tenant, inside one unit of work."""

    def __init__(
        self,
        session: Session,
        caller: Principal,
        wake_ups: WakeUps,
        *,
        quotas: Quotas | None = None,
    ) -> None:
        """Work for the caller's tenant; who just looks needs no `quotas`."""
        self._rows = LearningRepository(session, caller.tenant_id)
        self._looks = FirstLookRepository(session, caller.tenant_id)
        self._pairs = DifferenceRepository(session, caller.tenant_id)
        self._datasets = DatasetService(session, caller.tenant_id)
        self._findings = FindingService(session, caller.tenant_id, wake_ups)
        self._jobs = JobService(session, caller.tenant_id, wake_ups, quotas=quotas)
        self._claims = ClaimService(session, caller, wake_ups)

    def recalibrate(self, job_id: str) -> RecalibrationRead:
        """Have an audit's probabilities learn from the decisions so far.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoDecisionsError: No decision says whether a label is right.
        """
        job, version = self._findings.published(job_id)
        self._datasets.hold(self._datasets.find(str(job.dataset_id)))  # two may ask at once
        decided = self._decided(job, version)
        if not any(row.teaches for row in decided):
            raise NoDecisionsError("Decide on some samples first, by keep, relabel or off-topic.")
        return RecalibrationRead(job_id=self._jobs.submit_recalibration(job).id)

    def progress(self, job_id: str) -> ProgressRead:
        """Tell how far the review of an audit is."""
        job, version = self._findings.published(job_id)
        totals, stored = self._rows.totals(version.id), stored_calibration(version)
        decided = self._decided(job, version)
        num_flagged, num_samples = int(totals["num_flagged"] or 0), int(totals["num_samples"])
        return ProgressRead(
            job_id=job.id,
            num_samples=num_samples,
            num_flagged=num_flagged,
            num_decided=num_samples - int(totals["num_undecided"] or 0),
            num_flagged_left=int(totals["flagged_left"] or 0),
            decisions=self._rows.num_decisions(version.id),
            calibrated=bool(stored),
            calibrated_at=version.created_at if stored else None,
            num_learned=stored.get("num_learned", 0),
            reliability=[
                ReliabilityRead.model_validate(row) for row in stored.get("reliability", [])
            ],
            by_chance=by_chance(decided, (num_flagged, num_samples - num_flagged)),
            rates=RatesRead.of(stored),
            **outlook(
                stored,
                self._rows.next_p(version.id, CURVE_STEPS[-1]),
                new_decisions(decided, stored),
                expected_left=float(totals["expected_left"] or 0.0),
            ),
        )

    def first_look(self, job_id: str, page: PageRequest) -> Page[FirstLookRead]:
        """List the samples to look at first."""
        job, version = self._findings.published(job_id)
        classes = self._datasets.find(str(job.dataset_id)).classes
        cursors = Cursors(NUMBER_KEY, {"first look": job.id})
        looks = partial(self._looks.page, job.id, version.id)
        rows, cursor = paginate(page, cursors, looks, key=lambda row: row[0].position)
        return Page(items=[FirstLookRead.of(row, classes) for row in rows], next_cursor=cursor)

    def rates(self, job_id: str) -> RatesRead | None:
        """Return what was stated before decisions and after; None before it has learned."""
        _, version = self._findings.published(job_id)
        return RatesRead.of(stored_calibration(version))

    def difference(self, job_id: str, against: str | None, *, limit: int) -> DifferenceRead:
        """Tell what an audit flags otherwise than another one, by default the one before it.

        Raises:
            NotFoundError: The tenant has no such job, or `against` is of another data set.
            NoEarlierAuditError: There is none to compare with.
        """
        job, version = self._findings.published(job_id)
        other, other_version = self._other(job, against)
        classes = self._datasets.find(str(job.dataset_id)).classes
        num_new, newly = self._pairs.changed_flags(version.id, other_version.id, limit)
        num_gone, gone = self._pairs.changed_flags(other_version.id, version.id, limit)
        verified = self._pairs.verified(version.id)
        return DifferenceRead(
            job_id=job.id,
            against=other.id,
            num_newly_flagged=num_new,
            num_no_longer_flagged=num_gone,
            num_verified=len(verified),
            num_agreeing=sum(row.signals.get(_UNPINNED, 0.0) <= _HALF for row in verified),
            newly_flagged=[ChangedRead.of(row, classes) for row in newly],
            no_longer_flagged=[ChangedRead.of(row, classes) for row in gone],
        )

    def _other(self, job: Job, against: str | None) -> tuple[Job, ResultVersion]:
        if against is None:
            earlier = self._pairs.earlier_audit(job)
            if earlier is None:
                raise NoEarlierAuditError("This is the first audit of its data set.")
            against = str(earlier.id)
        other, version = self._findings.published(against)
        if other.dataset_id != job.dataset_id:
            raise not_found("job")
        return other, version

    def _decided(self, job: Job, version: ResultVersion) -> list[Judged]:
        """Return decided samples, but for those that reviewers still see differently."""
        disputed = self._claims.disputed(job)
        return [
            row for row in self._rows.decided(version.id, job.id) if row.sample_id not in disputed
        ]
