"""Versions of data sets, and what each annotator said of a sample."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_25_parts"
down_revision: str | None = "2026_11_25_published_keys"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.create_index("ix_datasets_parent_id", "datasets", ["parent_id"])
    op.add_column(
        "datasets", sa.Column("version", sa.Integer(), nullable=False, server_default="1")
    )
    op.add_column("samples", sa.Column("annotations", sa.JSON(), nullable=True))
    op.add_column("samples", sa.Column("agreement", sa.Double(), nullable=True))
    op.add_column(
        "samples", sa.Column("tied", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index(
        "ix_samples_agreement",
        "samples",
        ["dataset_id", "position"],
        sqlite_where=sa.text("agreement IS NOT NULL"),
        postgresql_where=sa.text("agreement IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_samples_agreement", table_name="samples")
    for name in ("tied", "agreement", "annotations"):
        op.drop_column("samples", name)
    op.drop_index("ix_datasets_parent_id", table_name="datasets")
    op.drop_column("datasets", "version")
    op.drop_column("datasets", "parent_id")
