"""Names of the columns in tables of labels."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_24_columns"
down_revision: str | None = "2026_11_24_uploads"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("columns", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("datasets", "columns")
