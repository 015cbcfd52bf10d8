"""Open, read and answer promises."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.accounts.schemas import Principal
from app.claims.service import ClaimService
from app.core.clock import utc_now
from app.core.ids import not_found, parse_sample_id, parse_uuid
from app.core.pagination import (
    CREATED_KEY,
    NUMBER_KEY,
    Cursors,
    PageRequest,
    created_key,
    paginate,
)
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.models import (
    BandAction,
    Dataset,
    Decision,
    Job,
    Promise,
    PromiseKind,
    PromiseState,
    ResultVersion,
)
from app.promises.bounds import allowed
from app.promises.figures import (
    band_figures,
    open_band,
    says,
    stop_figures,
    then,
    verdict,
    widest_passed,
)
from app.promises.repository import PromiseRepository
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
    NothingToPromiseError,
    PromiseEndedError,
    PromiseRead,
    StopStateRead,
    StopWrite,
)
from app.promises.terms import BandTerms, Check, StopTerms, band_sizes, draw_bands, draw_stop
from app.reviews.changes import Bulk, Change
from app.reviews.schemas import BulkRead, DecisionWrite
from app.reviews.service import ReviewService

_SEEDS = 2**31


class Opening:
    """One audit, whose data set is held: nobody decides meanwhile."""

    def __init__(
        self, session: Session, reviewer: Principal, job: Job, version: ResultVersion
    ) -> None:
        """Open for the reviewer, within their tenant."""
        self._rows = PromiseRepository(session, reviewer.tenant_id)
        self._reviewer = reviewer
        self._job = job
        self._version = version

    def band(self, wanted: BandWrite) -> Promise:
        """Pin the ranked list and draw from each band."""
        num_samples = self._some(self._rows.num_ranked(self._version.id))
        sizes = band_sizes(wanted.shares, num_samples)
        terms = BandTerms(**wanted.model_dump(exclude={"kind"}), sizes=sizes)
        promise = self._add(PromiseKind.BAND, num_samples, terms)
        self._rows.pin(promise, sizes[-1])
        drawn = list(draw_bands(promise.seed, sizes, wanted.num_checks))
        listed = self._rows.pinned(promise.id, (place for places in drawn for place in places))
        self._rows.add_checks(promise.id, ([listed[place] for place in d] for d in drawn))
        return promise

    def stop(self, wanted: StopWrite) -> Promise:
        """Draw from all samples that nobody has decided on."""
        num_samples = self._some(self._rows.num_unreviewed(self._job.dataset_id))
        rate = wanted.stated_rate
        if rate is None:
            rate = self._rows.mean_p(self._version.id)
        terms = StopTerms(
            alpha=wanted.alpha,
            target_share=wanted.target_share,
            stated_rate=max(rate, 1.0 / num_samples),
        )
        promise = self._add(PromiseKind.STOP, num_samples, terms)
        drawn = draw_stop(promise.seed, num_samples)
        listed = self._rows.unreviewed(self._job.dataset_id, drawn)
        self._rows.add_checks(promise.id, [[listed[place] for place in drawn]])
        return promise

    def _add(self, kind: PromiseKind, num_samples: int, terms: BandTerms | StopTerms) -> Promise:
        promise = Promise(
            tenant_id=self._reviewer.tenant_id,
            job_id=self._job.id,
            dataset_id=self._job.dataset_id,
            kind=kind,
            version_id=self._version.id,
            opened_after=self._rows.last_entry(self._job.dataset_id),
            num_samples=num_samples,
            seed=secrets.randbelow(_SEEDS),
            key_id=self._reviewer.key_id,
            terms=terms.model_dump(mode="json"),
        )
        self._rows.add(promise)
        return promise

    def _some(self, num_samples: int) -> int:
        if num_samples == 0:
            raise NothingToPromiseError("Somebody has decided on every sample.")
        return num_samples


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
        rows, cursor = paginate(page, cursors, partial(self._rows.newest, job.id), key=created_key)
        return Page(items=[self._described(self._look(row)) for row in rows], next_cursor=cursor)

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
