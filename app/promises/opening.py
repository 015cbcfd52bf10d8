"""Promises are opened: all that decides them is looked up, drawn and written down at once."""

import secrets

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.models import Job, Promise, PromiseKind, ResultVersion
from app.promises.repository import PromiseRepository
from app.promises.schemas import BandWrite, NothingToPromiseError, StopWrite
from app.promises.terms import BandTerms, StopTerms, band_sizes, draw_bands, draw_stop

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
