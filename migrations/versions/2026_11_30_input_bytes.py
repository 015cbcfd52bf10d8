"""Files that came with a job count against the quota of bytes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_30_input_bytes"
down_revision: str | None = "2026_11_30_folder_marks"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "jobs", sa.Column("input_bytes", sa.BigInteger(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("jobs", "input_bytes")
