"""Promises, the lists that they pin, and their checks."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision: str = "2026_11_30_promises"
down_revision: str | None = "2026_11_30_pictures"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OF_A_PROMISE = "promise_id IN (SELECT id FROM promises)"


def upgrade() -> None:
    op.create_table(
        "promises",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_after", sa.BigInteger(), nullable=False),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("accepted_step_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(_points_to("promises", of, ondelete="CASCADE") for of in ("job", "dataset")),
        _points_to("promises", "tenant"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
    )
    for columns in (["job_id", "created_at", "id"], ["dataset_id"]):
        op.create_index(op.f(f"ix_promises_{'_'.join(columns)}"), "promises", columns)
    protect("promises")
    _create_part(
        "promise_samples",
        ["place"],
        sa.Column("suggested_label", sa.Integer(), nullable=False),
    )
    _create_part(
        "promise_checks",
        ["band", "position"],
        sa.Column("suggested_label", sa.Integer(), nullable=True),
        sa.Column("step_id", sa.BigInteger(), nullable=True),
    )


def downgrade() -> None:
    for table in ("promise_checks", "promise_samples", "promises"):
        op.drop_table(table)


def _create_part(table: str, place: list[str], *columns: sa.Column[int]) -> None:
    op.create_table(
        table,
        sa.Column("promise_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in place),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        *columns,
        _points_to(table, "promise", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("promise_id", *place, name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
    protect(table, _OF_A_PROMISE)


def _points_to(table: str, of: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{of}_id_{of}s")
    return sa.ForeignKeyConstraint([f"{of}_id"], [f"{of}s.id"], name=name, ondelete=ondelete)
