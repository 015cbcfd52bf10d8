"""Decisions: an append-only log, and what is in force beside each sample."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_24_2230"
down_revision: str | None = "2026_11_24_idempotency_keys"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_steps()
    _create_entries()
    # No batch mode: it may make the table anew, and findings are deleted with their samples.
    op.add_column("samples", sa.Column("decided_label", sa.Integer(), nullable=True))
    op.add_column("samples", sa.Column("exclusion", sa.String(length=16), nullable=True))
    op.add_column("samples", sa.Column("decision_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in ("decision_id", "exclusion", "decided_label"):
        op.drop_column("samples", name)
    op.drop_table("decision_entries")
    op.drop_table("decision_steps")


def _create_steps() -> None:
    op.create_table(
        "decision_steps",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=True),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("comment", sa.String(length=500), nullable=True),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name=op.f("fk_decision_steps_dataset_id_datasets"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_decision_steps_job_id_jobs"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_decision_steps_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_steps")),
    )
    op.create_index(
        op.f("ix_decision_steps_dataset_id_kind_undone_id"),
        "decision_steps",
        ["dataset_id", "kind", "undone", "id"],
    )
    op.create_index(op.f("ix_decision_steps_job_id"), "decision_steps", ["job_id"])


def _create_entries() -> None:
    op.create_table(
        "decision_entries",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("step_id", _BIG_INT, nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("from_decision", sa.String(length=16), nullable=True),
        sa.Column("from_label", sa.Integer(), nullable=True),
        sa.Column("from_reason", sa.String(length=16), nullable=True),
        sa.Column("to_decision", sa.String(length=16), nullable=True),
        sa.Column("to_label", sa.Integer(), nullable=True),
        sa.Column("to_reason", sa.String(length=16), nullable=True),
        sa.Column("previous_id", sa.BigInteger(), nullable=True),
        sa.Column("restored_id", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name=op.f("fk_decision_entries_dataset_id_datasets"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["step_id"],
            ["decision_steps.id"],
            name=op.f("fk_decision_entries_step_id_decision_steps"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["samples.id"],
            name=op.f("fk_decision_entries_sample_id_samples"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_entries")),
        sa.UniqueConstraint(
            "step_id", "sample_id", name=op.f("uq_decision_entries_step_id_sample_id")
        ),
    )
    for columns in (["dataset_id", "id"], ["sample_id", "id"]):
        name = op.f(f"ix_decision_entries_{'_'.join(columns)}")
        op.create_index(name, "decision_entries", columns)
