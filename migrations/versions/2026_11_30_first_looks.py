"""Samples to look at first, in place of random samples."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision: str = "2026_11_30_first_looks"
down_revision: str | None = "2026_11_30_ended_attempts"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_table("random_samples")
    _create("first_looks", sa.Column("by_chance", sa.Boolean(), nullable=False))


def downgrade() -> None:
    op.drop_table("first_looks")
    _create("random_samples", sa.Column("seed", sa.BigInteger(), nullable=False))


def _create(table: str, own: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        own,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _points_to(table, "job_id", "jobs"),
        _points_to(table, "sample_id", "samples"),
        _points_to(table, "tenant_id", "tenants", ondelete=None),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_sample_id"), table, ["sample_id"])
    protect(table)


def _points_to(
    table: str, column: str, target: str, ondelete: str | None = "CASCADE"
) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)
