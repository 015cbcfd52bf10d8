"""Decide on samples, one or many; read the history of decisions, and revert them."""

from contextlib import suppress
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.accounts.schemas import Principal, QuotaExceededError
from app.claims.service import ClaimService
from app.core.ids import format_sample_id, not_found, parse_sample_id
from app.core.pagination import NUMBER_KEY, Cursors, PageRequest, paginate
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.schemas import UnknownClassError
from app.datasets.service import DatasetService
from app.findings.query import FindingQuery, Verdict
from app.findings.schemas import NoFindingsError, NotFinishedError
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.models import Dataset, DecisionStep, Sample, StepKind
from app.reviews.changes import Bulk, Change, Targets
from app.reviews.repository import LogRepository, ReviewRepository
from app.reviews.schemas import (
    BulkRead,
    BulkWrite,
    CountChangedError,
    DecisionRead,
    DecisionValue,
    DecisionWrite,
    LogEntryRead,
    LogOrder,
    NoSuggestionError,
    NothingToRevertError,
    PreviewRead,
    SampleVersion,
    StepChoice,
    StepOvertakenError,
    StepRead,
    StepStateError,
    VersionConflictError,
)


class History:
    """The log of a tenant's data sets, inside one unit of work."""

    def __init__(self, session: Session, reviewer: Principal) -> None:
        """Act for the reviewer, within their tenant."""
        self._session = session
        self._reviewer = reviewer
        self._tenant_id = reviewer.tenant_id
        self._datasets = DatasetService(session, self._tenant_id)

    def revert(self, dataset_id: str, kind: StepKind, choice: StepChoice) -> StepRead:
        """Undo a step, or redo an undone one, for all of its samples.

        Raises:
            NotFoundError: The tenant has no such data set, or it no such step.
            NothingToRevertError: No step is left to undo, or to redo.
            StepStateError: The step is undone already, or it is not.
            StepOvertakenError: Later decisions stand on it.
        """
        dataset = self._datasets.find(dataset_id)
        self._datasets.hold(dataset)
        reviews = ReviewRepository(self._session, self._tenant_id, dataset.id)
        target = self._choose(reviews, kind, choice)
        if target.undone is (kind is StepKind.UNDO):
            state = "undone" if target.undone else "not undone"
            raise StepStateError(f"Step {target.id} is {state}.", step_id=target.id)
        num_overtaken = reviews.num_overtaken(target, kind)
        if num_overtaken:
            raise StepOvertakenError(
                f"{num_overtaken} of the samples of step {target.id} were decided on since.",
                step_id=target.id,
                num_samples=num_overtaken,
            )
        step = reviews.add_step(kind, by=self._reviewer, target=target)
        reviews.revert(step, target)
        self._session.flush()
        return StepRead.of(self._log(dataset).step(step.id))

    def log(
        self,
        dataset_id: str,
        page: PageRequest,
        *,
        sample_id: str | None,
        step_id: int | None,
        order: LogOrder,
    ) -> Page[LogEntryRead]:
        """List what happened, sample by sample."""
        dataset = self._datasets.find(dataset_id)
        query = {"log": dataset.id, "sample": sample_id, "step": step_id, "order": order}
        cursors = Cursors(NUMBER_KEY, query)
        entries = partial(
            self._log(dataset).entries,
            sample_id=None if sample_id is None else parse_sample_id(sample_id),
            step_id=step_id,
            newest_first=order is LogOrder.NEWEST_FIRST,
        )
        rows, cursor = paginate(page, cursors, entries, key=lambda row: row.entry.id)
        items = [LogEntryRead.of(row, dataset.classes) for row in rows]
        return Page(items=items, next_cursor=cursor)

    def steps(self, dataset_id: str, page: PageRequest) -> Page[StepRead]:
        """List what reviewers did, newest first."""
        dataset = self._datasets.find(dataset_id)
        cursors = Cursors(NUMBER_KEY, {"steps": dataset.id})
        steps = self._log(dataset).steps
        rows, cursor = paginate(page, cursors, steps, key=lambda row: row.step.id)
        return Page(items=[StepRead.of(row) for row in rows], next_cursor=cursor)

    def _choose(
        self, reviews: ReviewRepository, kind: StepKind, choice: StepChoice
    ) -> DecisionStep:
        by = self._reviewer if choice.mine else None
        if choice.step_id is not None:
            target = reviews.get_step(choice.step_id)
            if target is None:
                raise not_found("step that can be undone")
            return target
        target = (
            reviews.newest_in_force(by=by)
            if kind is StepKind.UNDO
            else reviews.newest_undone(by=by)
        )
        if target is None:
            raise NothingToRevertError(f"There is no step to {kind}.")
        return target

    def _log(self, dataset: Dataset) -> LogRepository:
        return LogRepository(self._session, self._tenant_id, dataset.id)


_NUM_SHOWN = 12
_MAX_CONFLICTS_NAMED = 100


class ReviewService:
    """Decisions of one reviewer, inside one unit of work."""

    def __init__(
        self,
        session: Session,
        reviewer: Principal,
        wake_ups: WakeUps,
        *,
        recalibrate_every: int = 0,
        quotas: Quotas | None = None,
    ) -> None:
        """Act for the reviewer, within their tenant.

        After so many decisions on an audit its probabilities learn from them; 0 is never.
        """
        self._recalibrate_every = recalibrate_every
        self._session = session
        self._reviewer = reviewer
        self._tenant_id = reviewer.tenant_id
        self._datasets = DatasetService(session, self._tenant_id)
        self._jobs = JobService(session, self._tenant_id, wake_ups, quotas=quotas)
        self._findings = FindingService(session, self._tenant_id, wake_ups)
        self._claims = ClaimService(session, reviewer, wake_ups)

    def decide(
        self, sample_id: str, wanted: DecisionWrite, *, versions: frozenset[int] | None
    ) -> DecisionRead:
        """Decide on one sample, if its version is one of `versions`; none is any.

        Raises:
            NotFoundError: The tenant has no such sample, or the data set no such job.
            VersionConflictError: Somebody decided in between.
            UnknownClassError: The label is no class of the data set.
        """
        sample, classes = self._datasets.find_sample(sample_id)
        dataset = self._datasets.find(str(sample.dataset_id))
        self._datasets.hold(dataset)
        reviews = self._reviews(dataset)
        self._session.refresh(sample)
        if versions is not None and sample.version not in versions:
            raise VersionConflictError(
                f"The sample is at version {sample.version}.",
                version=sample.version,
                in_force=_in_force(sample, classes).model_dump(),
            )
        change = _change(wanted, dataset)
        step = reviews.add_step(
            StepKind.DECIDE,
            by=self._reviewer,
            job_id=self._job_id(dataset, wanted.job_id),
            comment=wanted.comment or None,
            resolves=wanted.resolves,
        )
        reviews.decide(step, reviews.by_ids([sample.id]), change)
        self._after(step, dataset)
        self._session.refresh(sample)
        return DecisionRead(
            sample_id=format_sample_id(sample.id),
            version=sample.version,
            step_id=step.id,
            **_in_force(sample, classes).model_dump(),
        )

    def preview_many(self, dataset_id: str, wanted: BulkWrite) -> BulkRead:
        """Tell what `decide_many` would do."""
        dataset = self._datasets.find_ready(dataset_id)
        return self.preview(dataset, self._bulk(dataset, wanted))

    def decide_many(self, dataset_id: str, wanted: BulkWrite) -> BulkRead:
        """Decide on all samples that are named or that a filter meets, in one step.

        Raises:
            NotFoundError: The tenant has no such data set, or it no such job or sample.
            VersionConflictError: Somebody decided on a named sample in between.
            CountChangedError: There are not as many samples as expected.
            NoSuggestionError: The audit says nothing of some of the named samples.
        """
        dataset = self._datasets.find_ready(dataset_id)
        self._datasets.hold(dataset)
        return self.carry_out(dataset, self._bulk(dataset, wanted))

    def preview(self, dataset: Dataset, bulk: Bulk) -> BulkRead:
        """Tell what `carry_out` would do."""
        reviews = self._reviews(dataset)
        count = _count(reviews, bulk)
        shown = reviews.preview(bulk.targets, bulk.change, limit=_NUM_SHOWN)
        samples = [PreviewRead.of(row, bulk.change.reason, dataset.classes) for row in shown]
        return BulkRead(dry_run=True, count=count, samples=samples, step=None)

    def carry_out(self, dataset: Dataset, bulk: Bulk) -> BulkRead:
        """Decide on all targets in one step; the data set is held by the caller.

        Raises:
            CountChangedError: There are not as many samples as expected.
            NoSuggestionError: Some of the named samples are not met.
        """
        reviews = self._reviews(dataset)
        count = _count(reviews, bulk)
        if count == 0:
            return BulkRead(dry_run=False, count=0, samples=[], step=None)
        step = reviews.add_step(
            StepKind.DECIDE,
            by=self._reviewer,
            job_id=bulk.job_id,
            comment=bulk.comment,
            by_filter=bulk.by_filter,
        )
        reviews.decide(step, bulk.targets, bulk.change)
        self._after(step, dataset)
        self._session.flush()
        row = LogRepository(self._session, self._tenant_id, dataset.id).step(step.id)
        return BulkRead(dry_run=False, count=count, samples=[], step=StepRead.of(row))

    def _bulk(self, dataset: Dataset, wanted: BulkWrite) -> Bulk:
        """Return what is to happen, and to which samples."""
        return Bulk(
            change=_change(wanted, dataset),
            targets=self._targets(self._reviews(dataset), dataset, wanted),
            job_id=self._job_id(dataset, wanted.job_id),
            comment=wanted.comment or None,
            by_filter=wanted.filter is not None,
            expected_count=wanted.expected_count,
            num_named=None if wanted.samples is None else len(wanted.samples),
        )

    def _targets(self, reviews: ReviewRepository, dataset: Dataset, wanted: BulkWrite) -> Targets:
        if wanted.samples is None:
            if wanted.filter is None or wanted.job_id is None:
                raise ValueError("neither samples nor a filter")
            # To accept what is suggested for both labels of one picture would only swap them.
            but = Verdict.CONFLICT if wanted.accept_suggestion else None
            query = FindingQuery(**wanted.filter.model_dump(), but=but)
            return self._findings.matching(wanted.job_id, query, dataset=dataset)
        sample_ids = _checked_ids(reviews, wanted.samples)
        if not wanted.accept_suggestion or wanted.job_id is None:
            return reviews.by_ids(sample_ids)
        return self._findings.matching(
            wanted.job_id, FindingQuery(), dataset=dataset, sample_ids=sample_ids
        )

    def _after(self, step: DecisionStep, dataset: Dataset) -> None:
        """Give back what was claimed, and have the audit learn where it is time to."""
        self._claims.release(step)
        if not self._recalibrate_every or step.job_id is None:
            return
        try:
            job, version = self._findings.published(str(step.job_id))
        except (NotFinishedError, NoFindingsError):
            return
        learned = version.calibration or {}
        log = LogRepository(self._session, self._tenant_id, dataset.id)
        num_new = log.num_after(learned.get("decided_until", 0))
        # By a share of what is known: each time all of the findings are written anew.
        if num_new >= max(self._recalibrate_every, learned.get("num_learned", 0) // 4):
            # Later will do: a decision is not refused for a queue that is full.
            with suppress(QuotaExceededError):
                self._jobs.submit_recalibration(job)

    def _job_id(self, dataset: Dataset, job_id: str | None) -> UUID | None:
        if job_id is None:
            return None
        job = self._jobs.find(job_id)
        if job.dataset_id != dataset.id:
            raise not_found("job")
        return job.id

    def _reviews(self, dataset: Dataset) -> ReviewRepository:
        return ReviewRepository(self._session, self._tenant_id, dataset.id)


def _in_force(sample: Sample, classes: list[str]) -> DecisionValue:
    return DecisionValue.of(sample.decision, sample.decided_label, sample.exclusion, classes)


def _count(reviews: ReviewRepository, bulk: Bulk) -> int:
    count = reviews.count(bulk.targets)
    if bulk.num_named is not None and count < bulk.num_named:
        missing = bulk.num_named - count
        raise NoSuggestionError(f"The audit says nothing of {missing} of the samples.")
    if bulk.expected_count not in {None, count}:
        raise CountChangedError(f"The filter meets {count} samples now.", count=count)
    return count


def _change(wanted: DecisionWrite | BulkWrite, dataset: Dataset) -> Change:
    if wanted.label is not None and wanted.label not in dataset.classes:
        raise UnknownClassError("The label is no class of this data set.")
    return Change(
        decision=wanted.decision,
        label=None if wanted.label is None else dataset.classes.index(wanted.label),
        accept_suggestion=isinstance(wanted, BulkWrite) and wanted.accept_suggestion,
        reason=wanted.reason,
    )


def _checked_ids(reviews: ReviewRepository, samples: list[SampleVersion]) -> list[int]:
    """Return the numbers of named samples, all at the versions that were seen."""
    seen = {parse_sample_id(item.sample_id): item.version for item in samples}
    current = reviews.versions(list(seen))
    if len(current) < len(seen):
        raise not_found("sample")
    changed = [number for number, version in current.items() if version != seen[number]]
    if changed:
        raise VersionConflictError(
            f"{len(changed)} of the samples were decided on meanwhile.",
            conflicts=[
                {"sample_id": format_sample_id(number), "version": current[number]}
                for number in sorted(changed)[:_MAX_CONFLICTS_NAMED]
            ],
        )
    return list(seen)
