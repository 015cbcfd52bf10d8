"""Quotas of single tenants, and the log of administrative acts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_25_accounts"
down_revision: str | None = "2026_11_25_web_sessions"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_QUOTAS = (
    "max_bytes", "max_samples", "max_queued_jobs", "max_running_jobs", "max_gpu_minutes",
    "max_requests_per_minute",
)  # fmt: skip


def upgrade() -> None:
    for name in _QUOTAS:
        op.add_column("tenants", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=100), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_audit_entries_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_tenant_id_id"), "audit_entries", ["tenant_id", "id"])


def downgrade() -> None:
    op.drop_table("audit_entries")
    for name in reversed(_QUOTAS):
        op.drop_column("tenants", name)
