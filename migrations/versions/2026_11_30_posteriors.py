"""Findings are filtered and sorted by the posterior of the mixture of losses."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision: str = "2026_11_30_posteriors"
down_revision: str | None = "2026_11_30_first_looks"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_FINDINGS = sa.table(
    "findings",
    sa.column("version_id"),
    sa.column("rank"),
    sa.column("posterior"),
    sa.column("signals", sa.JSON),
)
_NO_POSTERIOR = 1.0


def upgrade() -> None:
    op.add_column("findings", sa.Column("posterior", sa.Double(), nullable=True))
    stored = _FINDINGS.c.signals["posterior"].as_float()
    op.execute(sa.update(_FINDINGS).values(posterior=stored).where(stored.is_not(None)))
    ranks = op.create_table(
        "posterior_ranks",
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        sa.Column("minus_posterior", sa.Double()),
        sa.Column("rank", sa.Integer()),
        sa.PrimaryKeyConstraint("version_id", "minus_posterior", "rank", name="pk_posterior_ranks"),
        sqlite_with_rowid=False,
    )
    found = _FINDINGS.c
    key = (found.version_id, sa.func.coalesce(-found.posterior, _NO_POSTERIOR), found.rank)
    names = ["version_id", "minus_posterior", "rank"]
    op.execute(sa.insert(ranks).from_select(names, sa.select(*key).order_by(*key)))
    protect("posterior_ranks", "version_id IN (SELECT id FROM result_versions)")


def downgrade() -> None:
    op.drop_table("posterior_ranks")
    op.drop_column("findings", "posterior")
