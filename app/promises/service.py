from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.accounts.quota_service import Quotas
from app.accounts.schemas import Principal
from app.claims.service import ClaimService
from app.core.clock import utc_now
from app.core.ids import not_found, parse_sample_id, parse_uuid
from app.core.pagination import CREATED_KEY, NUMBER_KEY, Cursors, PageRequest
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.models import BandAction, Dataset, Decision, Promise, PromiseKind, PromiseState
from app.promises.bounds import allowed
from app.promises.figures import band_figures, open_band, stop_figures, verdict, widest_passed
from app.promises.opening import Opening
from app.promises.repository import PromiseRepository
from app.promises.rows import Check
from app.promises.schemas import (
    AcceptableRead,
    AcceptWrite,
    AnswerRead,
    AnswerWrite,
    BandsRead,
    BandWrite,
    CheckAnsweredError,
    CheckRead,
    NothingToAcceptError,
    PromiseEndedError,
    PromiseRead,
    StopStateRead,
    StopWrite,
)
from app.promises.terms import BandTerms, StopTerms
from app.promises.words import says, then
from app.reviews.changes import Bulk, Change
from app.reviews.schemas import BulkRead, DecisionWrite
from app.reviews.service import ReviewService


@dataclass(frozen=True, slots=True)
class _Looked:
    """A promise with all that is known of it now."""

    promise: Promise
    dataset: Dataset
    checks: Sequence[Check]
    figures: BandsRead | StopStateRead

    @property
    def to_do(self) -> list[Check]:
        """Return the checks that may be answered now: no band before the narrower one."""
        if self.promise.state is not PromiseState.OPEN:
            return []
        band = open_band(self.figures) if isinstance(self.figures, BandsRead) else 0
        return [check for check in self.checks if check.band == band]


class PromiseService:
    """What is promised of audits, of one tenant, inside one unit of work."""

    def __init__(
        self,
        session: Session,
        reviewer: Principal,
        wake_ups: WakeUps,
        *,
        recalibrate_every: int = 0,
        quotas: Quotas | None = None,
    ) -> None:
        """Act for the reviewer; who just looks needs neither of the last two."""
        tenant_id = reviewer.tenant_id
        self._session = session
        self._reviewer = reviewer
        self._rows = PromiseRepository(session, tenant_id)
        self._datasets = DatasetService(session, tenant_id)
        self._findings = FindingService(session, tenant_id, wake_ups)
        self._jobs = JobService(session, tenant_id, wake_ups)
        self._claims = ClaimService(session, reviewer, wake_ups)
        self._reviews = ReviewService(
            session, reviewer, wake_ups, recalibrate_every=recalibrate_every, quotas=quotas
        )

    def open(self, job_id: str, wanted: BandWrite | StopWrite) -> PromiseRead:
        """Open a promise of an audit.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
            NothingToPromiseError: Nobody has left a sample undecided.
        """
        job, version = self._findings.published(job_id)
        self._datasets.hold(self._datasets.find(str(job.dataset_id)))
        opening = Opening(self._session, self._reviewer, job, version)
        opened = opening.band(wanted) if isinstance(wanted, BandWrite) else opening.stop(wanted)
        return self._described(self._look(opened))

    def page(self, job_id: str, page: PageRequest) -> Page[PromiseRead]:
        """List the promises of an audit, newest first."""
        job = self._jobs.find(job_id)
        cursors = Cursors(CREATED_KEY, {"promises": job.id})
        rows = self._rows.newest(job.id, after=cursors.decode(page.cursor), limit=page.limit + 1)
        kept, cursor = cursors.cut(rows, page.limit, key=lambda row: (row.created_at, row.id))
        return Page(items=[self._described(self._look(row)) for row in kept], next_cursor=cursor)

    def read(self, promise_id: str) -> PromiseRead:
        """Describe a promise.

        Raises:
            NotFoundError: The tenant has no such promise.
        """
        return self._described(self._look(self._find(promise_id)))

    def checks(self, promise_id: str, page: PageRequest) -> Page[CheckRead]:
        """List what is to be looked at now, in the order of the draw."""
        looked = self._look(self._find(promise_id))
        cursors = Cursors(NUMBER_KEY, {"checks": looked.promise.id})
        after = cursors.decode(page.cursor)
        rows = [
            check
            for check in looked.to_do
            if not check.is_answered and (after is None or check.position > after)
        ]
        kept, cursor = cursors.cut(
            rows[: page.limit + 1], page.limit, key=lambda check: check.position
        )
        classes = looked.dataset.classes
        return Page(items=[CheckRead.of(check, classes) for check in kept], next_cursor=cursor)

    def answer(self, promise_id: str, wanted: AnswerWrite) -> AnswerRead:
        """Decide on a drawn sample, and count that as its check.

        Raises:
            NotFoundError: The tenant has no such promise, or it asks for no such sample now.
            PromiseEndedError: It has ended.
            CheckAnsweredError: Somebody has answered this check.
            UnknownClassError: The label is no class of the data set.
        """
        looked = self._look(self._held(promise_id))
        _require_open(looked.promise)
        number = parse_sample_id(wanted.sample_id)
        check = next((check for check in looked.to_do if check.sample_id == number), None)
        if check is None:
            raise not_found("check")
        if check.is_answered:
            raise CheckAnsweredError("Undo that step of the log to answer the check anew.")
        decision = self._reviews.decide(
            wanted.sample_id,
            DecisionWrite(
                **wanted.model_dump(exclude={"sample_id"}), job_id=str(looked.promise.job_id)
            ),
            versions=None,
        )
        self._rows.answer(looked.promise.id, number, decision.step_id)
        looked = self._look(looked.promise)
        self._end(looked, verdict(looked.figures))
        return AnswerRead(decision=decision, promise=self._described(looked))

    def preview(self, promise_id: str, wanted: AcceptWrite) -> BulkRead:
        """Tell what `accept` would do."""
        looked = self._look(self._find(promise_id))
        return self._reviews.preview(looked.dataset, self._bulk(looked, wanted))

    def accept(self, promise_id: str, wanted: AcceptWrite) -> BulkRead:
        """Do to all undecided samples of the widest passed band what it was opened for.

        Raises:
            NotFoundError: The tenant has no such promise.
            NothingToAcceptError: No band has passed its checks.
            CountChangedError: There are not as many samples as expected.
        """
        looked = self._look(self._held(promise_id))
        done = self._reviews.carry_out(looked.dataset, self._bulk(looked, wanted))
        if done.step is not None:
            looked.promise.accepted_step_id = done.step.step_id
        return done

    def close(self, promise_id: str) -> PromiseRead:
        """End a promise: kept if anything is proved by now, given up otherwise.

        Raises:
            NotFoundError: The tenant has no such promise.
            PromiseEndedError: It has ended already.
        """
        looked = self._look(self._held(promise_id))
        _require_open(looked.promise)
        state = verdict(looked.figures)
        if state is PromiseState.OPEN:
            has_passed = widest_passed(looked.figures) is not None
            state = PromiseState.KEPT if has_passed else PromiseState.CLOSED
        self._end(looked, state)
        return self._described(looked)

    def _end(self, looked: _Looked, state: PromiseState) -> None:
        if state is PromiseState.OPEN:
            return
        promise = looked.promise
        promise.state, promise.ended_at = state, utc_now()
        promise.result = looked.figures.model_dump(mode="json")
        if state is not PromiseState.KEPT:
            self._rows.unpin(promise.id)
        self._session.flush()

    def _bulk(self, looked: _Looked, wanted: AcceptWrite) -> Bulk:
        band = widest_passed(looked.figures)
        if band is None:
            raise NothingToAcceptError("No band has passed its checks.")
        is_relabel = BandTerms(**looked.promise.terms).action is BandAction.RELABEL
        return Bulk(
            change=Change(
                decision=Decision.RELABEL if is_relabel else Decision.EXCLUDE,
                accept_suggestion=is_relabel,
            ),
            targets=self._rows.acceptable(looked.promise.id, band.num_samples),
            job_id=looked.promise.job_id,
            comment=wanted.comment or None,
            by_filter=True,
            expected_count=wanted.expected_count,
        )

    def _described(self, looked: _Looked) -> PromiseRead:
        promise, figures = looked.promise, looked.figures
        return PromiseRead.of(
            promise,
            figures,
            self._acceptable(promise, figures),
            says=says(figures, promise.num_samples),
            then=then(promise.state, figures),
        )

    def _acceptable(
        self, promise: Promise, figures: BandsRead | StopStateRead
    ) -> AcceptableRead | None:
        band = widest_passed(figures)
        if band is None or not isinstance(figures, BandsRead):
            return None
        return AcceptableRead(
            share=band.share,
            num_samples=band.num_samples,
            most_not_good=allowed(figures.alpha, band.num_samples),
            num_undecided=self._rows.num_acceptable(promise.id, band.num_samples),
        )

    def _look(self, promise: Promise) -> _Looked:
        dataset = self._datasets.find(str(promise.dataset_id))
        if promise.result is not None:
            is_band = promise.kind is PromiseKind.BAND
            stored = (BandsRead if is_band else StopStateRead).model_validate(promise.result)
            return _Looked(promise, dataset, (), stored)
        checks = self._rows.checks(promise.id)
        if promise.kind is PromiseKind.BAND:
            bands = band_figures(BandTerms(**promise.terms), checks)
            return _Looked(promise, dataset, checks, bands)
        stop = stop_figures(
            StopTerms(**promise.terms),
            checks,
            num_samples=promise.num_samples,
            num_found=self._num_found(promise),
        )
        return _Looked(promise, dataset, checks, stop)

    def _num_found(self, promise: Promise) -> int:
        """Count the wrong labels that were found; one that reviewers see differently is not."""
        job = self._jobs.find(str(promise.job_id))
        return len(self._rows.found(promise) - self._claims.disputed(job))

    def _held(self, promise_id: str) -> Promise:
        """Return a promise that nobody else answers or ends meanwhile."""
        promise = self._find(promise_id)
        self._datasets.hold(self._datasets.find(str(promise.dataset_id)))
        return self._find(promise_id)

    def _find(self, promise_id: str) -> Promise:
        promise = self._rows.get(parse_uuid(promise_id, "promise"))
        if promise is None:
            raise not_found("promise")
        return promise


def _require_open(promise: Promise) -> None:
    if promise.state is not PromiseState.OPEN:
        raise PromiseEndedError(f"The promise is {promise.state}.", state=promise.state)
