import hashlib
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.claims.opinions import ClaimedRow, Disputed, agreement_of, by_sample, disputed
from app.claims.repository import ClaimRepository
from app.claims.schemas import (
    MAX_CLAIMED,
    AgreementRead,
    ClaimRead,
    ClaimWrite,
    ConflictRead,
    ReleaseRead,
    TooManyClaimsError,
)
from app.core.clock import utc_now
from app.core.ids import parse_sample_id
from app.core.pagination import NUMBER_KEY, Cursors, PageRequest, paginate
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.findings.service import FindingService
from app.models import Dataset, DecisionStep, Job, ReviewClaim


class ClaimService:
    """What one reviewer is to look at, and where reviewers differ, inside one unit of work."""

    def __init__(self, session: Session, reviewer: Principal, wake_ups: WakeUps) -> None:
        """Act for the reviewer, within their tenant."""
        self._session = session
        self._tenant_id = reviewer.tenant_id
        self._reviewer = reviewer.key_id or ""
        self._datasets = DatasetService(session, self._tenant_id)
        self._findings = FindingService(session, self._tenant_id, wake_ups)

    def claim(self, job_id: str, wanted: ClaimWrite) -> Page[ClaimRead]:
        """Give the reviewer the worst samples that are nobody's; second opinions come first.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            TooManyClaimsError: The reviewer holds too many already.
        """
        job, version = self._findings.published(job_id)
        dataset = self._datasets.find(str(job.dataset_id))
        self._datasets.hold(dataset)
        claims, now = self._claims(dataset), utc_now()
        claims.drop_expired(now)
        num_held = claims.num_held(self._reviewer)
        if num_held + wanted.count > MAX_CLAIMED:
            raise TooManyClaimsError(f"You hold {num_held} samples already.", num_held=num_held)
        seconds = claims.next_second(version.id, job.id, self._reviewer, wanted.count)
        fresh = claims.next_fresh(version.id, wanted.count - len(seconds))
        claims.ask_second(job.id, [s for s in fresh if _is_shared(job, s, wanted.overlap)], now)
        claims.add(
            ReviewClaim(
                tenant_id=self._tenant_id,
                dataset_id=dataset.id,
                job_id=job.id,
                sample_id=sample_id,
                reviewer=self._reviewer,
                blind=wanted.blind,
                second=place < len(seconds),
                created_at=now,
                expires_at=now + timedelta(minutes=wanted.minutes),
            )
            for place, sample_id in enumerate([*seconds, *fresh])
        )
        taken = {*seconds, *fresh}
        held = claims.held(version.id, job.id, self._reviewer, now)
        return _page([row for row in held if row.claim.sample_id in taken], dataset)

    def held(self, job_id: str) -> Page[ClaimRead]:
        """List what the reviewer holds, worst first."""
        job, version = self._findings.published(job_id)
        dataset = self._datasets.find(str(job.dataset_id))
        claims = self._claims(dataset)
        return _page(claims.held(version.id, job.id, self._reviewer, utc_now()), dataset)

    def held_on(self, job_id: str, sample_id: str) -> ClaimRead | None:
        """Return the reviewer's claim on one sample, if they hold it."""
        job, version = self._findings.published(job_id)
        dataset = self._datasets.find(str(job.dataset_id))
        rows = self._claims(dataset).held(
            version.id, job.id, self._reviewer, utc_now(), sample_id=parse_sample_id(sample_id)
        )
        return ClaimRead.of(rows[0], dataset.classes) if rows else None

    def num_open(self, job_id: str, *, at_most: int) -> int:
        """Count the suspects that are nobody's and still to do, but no further than `at_most`."""
        job, version = self._findings.published(job_id)
        return self._claims_of(job).num_open(version.id, utc_now(), at_most=at_most)

    def release_all(self, job_id: str) -> ReleaseRead:
        """Give back what the reviewer holds."""
        job, _ = self._findings.published(job_id)
        dataset = self._datasets.find(str(job.dataset_id))
        self._datasets.hold(dataset)
        num = self._claims(dataset).release_all(self._reviewer, job.id)
        return ReleaseRead(num_released=num)

    def release(self, step: DecisionStep) -> None:
        """Give back what the reviewer has decided on."""
        ClaimRepository(self._session, self._tenant_id, step.dataset_id).release(
            self._reviewer, step
        )

    def agreement(self, job_id: str) -> AgreementRead:
        """Tell how far reviewers agree where two have looked."""
        job, _ = self._findings.published(job_id)
        claims = self._claims_of(job)
        samples = by_sample(claims.opinions(job.id))
        num_assigned = claims.num_assigned(job.id)
        return AgreementRead.of(agreement_of(samples, num_assigned=num_assigned))

    def conflicts(self, job_id: str, page: PageRequest) -> Page[ConflictRead]:
        """List the samples that reviewers see differently, until somebody settles them."""
        job, _ = self._findings.published(job_id)
        classes = self._datasets.find(str(job.dataset_id)).classes
        cursors = Cursors(NUMBER_KEY, {"conflicts": job.id})

        def conflicts(*, after: int | None, limit: int) -> Sequence[Disputed]:
            samples = by_sample(self._claims_of(job).opinions(job.id))
            later = [each for each in samples if after is None or each.sample_id > after]
            return [each for each in later if each.is_open][:limit]

        rows, cursor = paginate(page, cursors, conflicts, key=lambda row: row.sample_id)
        return Page(items=[ConflictRead.of(row, classes) for row in rows], next_cursor=cursor)

    def disputed(self, job: Job) -> set[int]:
        """Return the samples that reviewers still see differently."""
        return disputed(self._claims_of(job).opinions(job.id))

    def _claims_of(self, job: Job) -> ClaimRepository:
        return ClaimRepository(self._session, self._tenant_id, job.dataset_id)

    def _claims(self, dataset: Dataset) -> ClaimRepository:
        return ClaimRepository(self._session, self._tenant_id, dataset.id)


def _page(rows: Sequence[ClaimedRow], dataset: Dataset) -> Page[ClaimRead]:
    return Page(items=[ClaimRead.of(row, dataset.classes) for row in rows], next_cursor=None)


def _is_shared(job: Job, sample_id: int, share: float) -> bool:
    """Draw, always alike for the same sample, whether two reviewers shall decide on it."""
    digest = hashlib.sha256(f"{job.id}-{sample_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
