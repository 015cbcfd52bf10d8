"""How attempts of deleted jobs ended."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision: str = "2026_11_30_ended_attempts"
down_revision: str | None = "2026_11_30_input_bytes"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "ended_attempts",
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=24), nullable=False),
        sa.Column("num_attempts", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_ended_attempts_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "outcome", "stage", name="pk_ended_attempts"),
    )
    protect("ended_attempts")


def downgrade() -> None:
    op.drop_table("ended_attempts")
