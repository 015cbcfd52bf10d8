"""Samples of an audit that chance alone chose, of one tenant."""

import random
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.models import OF_SAMPLE, Finding, RandomSample, Sample, SampleRank


class DrawRepository:
    """Draws and lists them."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def drawn(self, job_id: UUID) -> Sequence[RandomSample]:
        """Return the samples drawn at random, in the order of the draw."""
        return self._session.scalars(
            select(RandomSample)
            .where(RandomSample.job_id == job_id, RandomSample.tenant_id == self._tenant_id)
            .order_by(RandomSample.position)
        ).all()

    def draw(
        self, job_id: UUID, version_id: int, *, num_samples: int, count: int, seed: int
    ) -> None:
        """Draw findings until there are `count`; ranks 1 to `num_samples` are what is drawn."""
        have = {row.sample_id for row in self.drawn(job_id)}
        ranks = _distinct(seed, num_samples, count)
        by_rank = self._by_rank(version_id, ranks)
        now = utc_now()
        self._session.add_all(
            RandomSample(
                tenant_id=self._tenant_id,
                job_id=job_id,
                position=position,
                sample_id=by_rank[rank],
                seed=seed,
                created_at=now,
            )
            for position, rank in enumerate(ranks)
            if by_rank[rank] not in have
        )
        self._session.flush()

    def drawn_page(
        self, job_id: UUID, version_id: int, *, after: int | None, limit: int
    ) -> Sequence[tuple[int, Finding, Sample]]:
        """Return drawn samples with their findings, in the order of the draw."""
        statement = (
            select(RandomSample.position, Finding, Sample)
            .join(Sample, Sample.id == RandomSample.sample_id)
            .join(SampleRank, SampleRank.sample_id == RandomSample.sample_id)
            .join(Finding, OF_SAMPLE)
            .where(
                RandomSample.job_id == job_id,
                RandomSample.tenant_id == self._tenant_id,
                SampleRank.version_id == version_id,
            )
            .order_by(RandomSample.position)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(RandomSample.position > after)
        return [(row[0], row[1], row[2]) for row in self._session.execute(statement)]

    def _by_rank(self, version_id: int, ranks: Sequence[int]) -> dict[int, int]:
        rows = self._session.execute(
            select(Finding.rank, Finding.sample_id).where(
                Finding.version_id == version_id, Finding.rank.in_(ranks)
            )
        )
        return {rank: sample_id for rank, sample_id in rows}  # noqa: C416 - typed rows


def _distinct(seed: int, num_samples: int, count: int) -> list[int]:
    """Return different numbers from 1 to `num_samples`; a longer list begins with a shorter one."""
    generator = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    drawn: dict[int, None] = {}
    while len(drawn) < min(count, num_samples):
        drawn[generator.randint(1, num_samples)] = None
    return list(drawn)
