"""Promises as the API reads and writes them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.errors import AppError
from app.core.ids import format_sample_id
from app.core.schemas import Flag, InputModel, ReadModel
from app.models import BandAction, Decision, Promise, PromiseKind, PromiseState
from app.promises.bounds import least_checks
from app.promises.terms import SHARES, Check
from app.reviews.schemas import Comment, DecisionRead, OneDecision


class NothingToPromiseError(AppError):
    """Every sample was decided on already."""

    status = 409
    code = "nothing_to_promise"
    title = "No undecided samples"


class PromiseEndedError(AppError):
    """The promise is kept, broken or closed: no answer changes it any more."""

    status = 409
    code = "promise_ended"
    title = "Promise has ended"


class CheckAnsweredError(AppError):
    """The check has an answer; undo that step of the log to answer it anew."""

    status = 409
    code = "check_answered"
    title = "Check is answered already"


class NothingToAcceptError(AppError):
    """No band has passed its checks."""

    status = 409
    code = "nothing_to_accept"
    title = "No band to accept"


MAX_CHECKS = 1_000
MAX_BANDS = 20
Chance = Annotated[float, Field(strict=True, ge=0.001, le=0.5, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]


class BandWrite(InputModel):
    """Promise that a band of the ranked list may be accepted in bulk."""

    kind: Literal["band"]
    action: BandAction
    """`relabel` needs right suggestions, `exclude` wrong given labels."""
    alpha: Chance = 0.1
    """Share of an accepted band that may be not good."""
    delta: Chance = 0.1
    """Chance that more of it is."""
    num_checks: Annotated[int, Field(strict=True, ge=1, le=MAX_CHECKS)] = 50
    """Drawn from each band; smaller bands are checked in full."""
    shares: Annotated[tuple[Share, ...], Field(min_length=1, max_length=MAX_BANDS)] = SHARES
    """How much of the list each band is, the narrowest first."""

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        least = least_checks(self.alpha, self.delta)
        if self.num_checks < least:
            raise ValueError(f"So few checks prove nothing, even all good: take {least} or more.")
        if sorted(set(self.shares)) != list(self.shares):
            raise ValueError("Name the shares of the bands from the narrowest to the widest.")
        return self


class StopWrite(InputModel):
    """Promise that few wrong labels are left among the samples that nobody has decided on."""

    kind: Literal["stop"]
    alpha: Chance = 0.05
    """Chance that more are left."""
    target_share: Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)] = 0.01
    """Share of these samples that may stay wrong."""
    stated_rate: Share | None = None
    """Share of wrong labels that you expect among them, by default what the audit expects. A poor
    guess costs checks, never the truth of the promise."""


PromiseWrite = Annotated[BandWrite | StopWrite, Field(discriminator="kind")]


class AnswerWrite(OneDecision):
    """What you see on a sample that was drawn. `unsure` counts against the promise."""

    sample_id: str

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.decision is Decision.EXCLUDE and self.reason is None:
            raise ValueError("A check needs the reason to `exclude`.")
        return self


class AcceptWrite(InputModel):
    """Accept the widest band that has passed."""

    dry_run: Flag = False
    """Change nothing; tell how many samples would change and show some, drawn at random."""
    expected_count: Annotated[int, Field(strict=True, ge=0)] | None = None
    """Refuse (412) if not this many samples would change: the count of the dry run."""
    comment: Comment | None = None


class BandState(StrEnum):
    """How far one band is."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"
    NOT_REACHED = "not_reached"


class BandRead(ReadModel):
    """One band and its own checks."""

    share: float
    num_samples: int
    num_checks: int
    num_answered: int
    num_good: int
    good_share_bound: float | None
    """Lower bound of the share that is good; null until all checks are answered."""
    state: BandState


class BandsRead(ReadModel):
    """What a promise of kind `band` says, and how far its checks are."""

    action: BandAction
    alpha: float
    delta: float
    num_checks: int
    bands: list[BandRead]


class RangeRead(ReadModel):
    """A number of samples that is known to lie between two ends, both included."""

    low: int
    high: int


class StopStateRead(ReadModel):
    """What a promise of kind `stop` says, and how far its checks are."""

    alpha: float
    target_share: float
    stated_rate: float
    num_drawn: int
    num_checks: int
    """Checks that are answered, up to the first that is not."""
    num_wrong: int
    """Of these, with `unsure` and whatever else does not say that the label is right."""
    wrong: RangeRead
    """Wrong labels that the samples held at the opening."""
    num_found: int
    """Wrong labels found among them since, by whoever looked."""
    left: RangeRead
    most_left: int
    """Wrong labels that may be left."""
    num_to_go: int | None
    """So many more checks keep the promise if none of them is wrong; null where none can."""
    holds: bool


class AcceptableRead(ReadModel):
    """The widest band that has passed."""

    share: float
    num_samples: int
    most_not_good: int
    """How many of these may be not good at most."""
    num_undecided: int
    """How many of these accepting would change now."""


class PromiseRead(ReadModel):
    """A promise: true relative to the eye of whoever answers its checks."""

    id: UUID
    job_id: UUID
    kind: PromiseKind
    state: PromiseState
    says: str
    """The theorem, in words."""
    next: str
    """What is to be done now, or how it ended."""
    num_samples: int
    """Samples that nobody had decided on at the opening: what the promise is about."""
    opened_at: datetime
    ended_at: datetime | None
    key_id: str | None
    """Whose key opened it."""
    seed: int | None
    """Of the draws; null as long as knowing it could tell what is drawn next."""
    band: BandsRead | None
    stop: StopStateRead | None
    acceptable: AcceptableRead | None
    """Null for a stop, and where no band has passed."""
    accepted_step_id: int | None
    """The last step of the log that accepted a band."""

    @classmethod
    def of(
        cls,
        promise: Promise,
        figures: BandsRead | StopStateRead,
        acceptable: AcceptableRead | None,
        *,
        says: str,
        then: str,
    ) -> "PromiseRead":
        """Describe a row with its figures."""
        is_open = promise.state is PromiseState.OPEN
        return cls(
            id=promise.id,
            job_id=promise.job_id,
            kind=promise.kind,
            state=promise.state,
            says=says,
            next=then,
            num_samples=promise.num_samples,
            opened_at=promise.created_at,
            ended_at=promise.ended_at,
            key_id=promise.key_id,
            seed=None if is_open else promise.seed,
            band=figures if isinstance(figures, BandsRead) else None,
            stop=figures if isinstance(figures, StopStateRead) else None,
            acceptable=acceptable,
            accepted_step_id=promise.accepted_step_id,
        )


class CheckRead(ReadModel):
    """A sample to look at, without suggestion, probability and rank."""

    position: int
    sample_id: str
    path: str
    given_label: str
    has_image: bool

    @classmethod
    def of(cls, check: Check, classes: list[str]) -> "CheckRead":
        """Describe a check."""
        return cls(
            position=check.position,
            sample_id=format_sample_id(check.sample_id),
            path=check.path,
            given_label=classes[check.given_label],
            has_image=check.has_image,
        )


class AnswerRead(ReadModel):
    """The decision that the answer is, and what it means for the promise."""

    decision: DecisionRead
    promise: PromiseRead
