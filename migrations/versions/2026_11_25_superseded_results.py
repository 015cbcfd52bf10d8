"""Results that were replaced are kept for the walks under way."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_25_superseded"
down_revision: str | None = "2026_11_25_stored_replies"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "result_versions", sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(op.f("ix_result_versions_superseded_at"), "result_versions", ["superseded_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_result_versions_superseded_at"), "result_versions")
    op.drop_column("result_versions", "superseded_at")
