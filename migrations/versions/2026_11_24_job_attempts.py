"""The history of each job's attempts, and the losses of a training under way."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_24_job_attempts"
down_revision: str | None = "2026_11_24"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "job_attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=False),
        sa.Column("stage", sa.String(length=24), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "succeeded", "failed", "cancelled", "handed_over", "given_back", "lost", "expired",
                name="attemptoutcome", native_enum=False, length=16,
            ),
            nullable=True,
        ),
        sa.Column("log", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_attempts_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_job_attempts_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_attempts")),
    )  # fmt: skip
    op.create_index(op.f("ix_job_attempts_job_id_id"), "job_attempts", ["job_id", "id"])
    op.create_index(op.f("ix_job_attempts_outcome_stage"), "job_attempts", ["outcome", "stage"])
    op.create_index(
        op.f("ix_job_attempts_tenant_id_started_at"), "job_attempts", ["tenant_id", "started_at"]
    )
    op.add_column("jobs", sa.Column("metrics", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "metrics")
    op.drop_table("job_attempts")
