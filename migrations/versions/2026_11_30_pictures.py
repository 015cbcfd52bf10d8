"""Which samples show the very same picture; so far that is known of equal files."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_30_pictures"
down_revision: str | None = "2026_11_30_posteriors"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_INDEX = "ix_samples_pictures"


def upgrade() -> None:
    op.add_column("samples", sa.Column("picture", sa.Integer(), nullable=True))
    op.execute(
        """
        UPDATE samples SET picture = equal.first FROM (
            SELECT id, MIN(position) OVER (PARTITION BY dataset_id, sha256) AS first
            FROM samples WHERE duplicate_kind = 'exact'
        ) AS equal WHERE equal.id = samples.id
        """
    )
    has_picture = sa.text("picture IS NOT NULL")
    op.create_index(
        _INDEX,
        "samples",
        ["dataset_id", "picture"],
        sqlite_where=has_picture,
        postgresql_where=has_picture,
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "samples")
    op.drop_column("samples", "picture")
