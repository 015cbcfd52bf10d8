"""The mark by which processes know the folders that they share."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision: str = "2026_11_30_folder_marks"
down_revision: str | None = "2026_11_28_ranks"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "folder_marks",
        sa.Column("service", sa.String(length=16), nullable=False),
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("service", name="pk_folder_marks"),
    )
    protect("folder_marks", "false")  # no request has to do with it


def downgrade() -> None:
    op.drop_table("folder_marks")
