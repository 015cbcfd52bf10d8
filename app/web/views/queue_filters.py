"""The filters of the review queue, as they stand in the address of its pages."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import BeforeValidator, Field

from app.findings.query import Bounds, DecisionFilter, FindingQuery, Sort, Verdict
from app.web.text import kind_words, percent


def _empty_is_none(text: object) -> object:
    """A field of a form that was left empty comes as an empty text."""
    return None if text == "" else text


_Given = BeforeValidator(_empty_is_none)
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Probability = Annotated[_Share | None, _Given, Query()]
Label = Annotated[str | None, _Given, Query()]
Kind = Annotated[Verdict | None, _Given, Query()]


class Flagged(StrEnum):
    """Which findings, by what the audit made of them."""

    YES = "yes"
    NO = "no"
    ANY = "any"


class Decided(StrEnum):
    """Which samples, by what reviewers made of them; `none` is still to do."""

    NONE = "none"
    ANY = "any"
    KEEP = "keep"
    RELABEL = "relabel"
    EXCLUDE = "exclude"
    UNSURE = "unsure"


_DECIDED_WORDS = {
    Decided.NONE: "still to do",
    Decided.ANY: "done or not",
    Decided.KEEP: "kept",
    Decided.RELABEL: "relabelled",
    Decided.EXCLUDE: "excluded",
    Decided.UNSURE: "unsure",
}
_FLAGGED_WORDS = {
    Flagged.YES: "worth a look",
    Flagged.NO: "not worth a look",
    Flagged.ANY: "worth a look or not",
}
_FLAGGED = {Flagged.YES: True, Flagged.NO: False, Flagged.ANY: None}


async def _read_bounds(
    min_p: Probability = None, max_p: Probability = None, min_posterior: Probability = None
) -> Bounds:
    return Bounds(min_p=min_p, max_p=max_p, min_posterior=min_posterior)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilters:
    """What a reviewer wants to see; by default what is flagged and still to do, worst first."""

    flagged: Flagged = Flagged.YES
    min_p: float | None = None
    max_p: float | None = None
    min_posterior: float | None = None
    label: str | None = None
    suggested_label: str | None = None
    decision: Decided = Decided.NONE
    verdict: Verdict | None = None
    sort: Sort = Sort.WORST_FIRST

    @classmethod
    def read(
        cls,
        bounds: Annotated[Bounds, Depends(_read_bounds)],
        flagged: Flagged = Flagged.YES,
        label: Label = None,
        suggested_label: Label = None,
        decision: Decided = Decided.NONE,
        verdict: Kind = None,
        sort: Sort = Sort.WORST_FIRST,
    ) -> Self:
        """Take them from the query of a request; a dependency."""
        return cls(
            flagged=flagged,
            **bounds,
            label=label,
            suggested_label=suggested_label,
            decision=decision,
            verdict=verdict,
            sort=sort,
        )

    @property
    def all_of_kind(self) -> bool:
        """Whether the kind alone tells what is flagged: most kinds never are."""
        return self.verdict not in (None, Verdict.MISLABELED)

    def query(self) -> FindingQuery:
        """Ask the findings for it."""
        decision = None if self.decision is Decided.ANY else DecisionFilter(self.decision.value)
        return FindingQuery(
            flagged=None if self.all_of_kind else _FLAGGED[self.flagged],
            min_p=self.min_p,
            max_p=self.max_p,
            min_posterior=self.min_posterior,
            label=self.label,
            suggested_label=self.suggested_label,
            decision=decision,
            verdict=self.verdict,
            sort=self.sort,
        )

    def bulk(self) -> dict[str, object]:
        """Ask a bulk decision for it, as `/v1` reads that."""
        wanted = asdict(self.query())
        del wanted["sort"]
        return {name: value for name, value in wanted.items() if value is not None}

    def search(self, **more: str | None) -> str:
        """Write what differs from the default, and what else is given, as a query of an address."""
        changed = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        given = {name: value for name, value in more.items() if value is not None}
        return urlencode(changed | given)

    @property
    def shows(self) -> str:
        """Whether samples are listed that are open, that are decided, or any."""
        known = {Decided.NONE: "open", Decided.ANY: "any"}
        return known.get(self.decision, "decided")

    @property
    def words(self) -> list[str]:
        """Say what is shown, filter by filter."""
        said = [_DECIDED_WORDS[self.decision]]
        if self.verdict is not None:
            said.append(kind_words(self.verdict).lower())
        if not self.all_of_kind:
            said.append(_FLAGGED_WORDS[self.flagged])
        if self.label is not None:
            said.append(f"labelled {self.label}")
        if self.suggested_label is not None:
            said.append(f"suggested {self.suggested_label}")
        if self.min_p is not None:
            said.append(f"from {percent(self.min_p)}")
        if self.max_p is not None:
            said.append(f"up to {percent(self.max_p)}")
        if self.min_posterior is not None:
            said.append(f"by the losses from {percent(self.min_posterior)}")
        return said

    @property
    def num_changed(self) -> int:
        """How many differ from the default."""
        return sum(getattr(self, field.name) != field.default for field in fields(self))
