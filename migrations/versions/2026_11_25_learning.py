"""Learning from decisions: re-calibrated results, claims, second opinions, random samples."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_25_learning"
down_revision: str | None = "2026_11_25_accounts"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = ("random_samples", "second_opinions", "review_claims")


def upgrade() -> None:
    op.add_column("result_versions", sa.Column("base_id", sa.BigInteger(), nullable=True))
    op.add_column("result_versions", sa.Column("calibration", sa.JSON(), nullable=True))
    op.add_column("findings", sa.Column("p_uncalibrated", sa.Double(), nullable=True))
    for name in ("by_filter", "resolves"):
        op.add_column(
            "decision_steps",
            sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()),
        )
    _create_claims()
    _create_second_opinions()
    _create_random_samples()


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    for name in ("resolves", "by_filter"):
        op.drop_column("decision_steps", name)
    op.drop_column("findings", "p_uncalibrated")
    for name in ("calibration", "base_id"):
        op.drop_column("result_versions", name)


def _create_claims() -> None:
    table = "review_claims"
    op.create_table(
        table,
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("reviewer", sa.String(length=16), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("second", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        *_owned(),
        _points_to(table, "dataset_id", "datasets"),
        _points_to(table, "job_id", "jobs"),
        _points_to(table, "sample_id", "samples"),
        _points_to(table, "tenant_id", "tenants", ondelete=None),
        sa.PrimaryKeyConstraint("sample_id", "reviewer", name=op.f(f"pk_{table}")),
    )
    name = op.f(f"ix_{table}_dataset_id_expires_at")
    op.create_index(name, table, ["dataset_id", "expires_at"])
    op.create_index(op.f(f"ix_{table}_job_id"), table, ["job_id"])


def _create_second_opinions() -> None:
    table = "second_opinions"
    op.create_table(
        table,
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        *_owned(),
        _points_to(table, "job_id", "jobs"),
        _points_to(table, "sample_id", "samples"),
        _points_to(table, "tenant_id", "tenants", ondelete=None),
        sa.PrimaryKeyConstraint("job_id", "sample_id", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_sample_id"), table, ["sample_id"])


def _create_random_samples() -> None:
    table = "random_samples"
    op.create_table(
        table,
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        *_owned(),
        _points_to(table, "job_id", "jobs"),
        _points_to(table, "sample_id", "samples"),
        _points_to(table, "tenant_id", "tenants", ondelete=None),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_sample_id"), table, ["sample_id"])


def _owned() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )


def _points_to(
    table: str, column: str, target: str, ondelete: str | None = "CASCADE"
) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)
