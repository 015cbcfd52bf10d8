"""Samples that show the same picture as another one."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_24_duplicates"
down_revision: str | None = "2026_11_24_columns"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_INDEX = "ix_samples_duplicates"


def upgrade() -> None:
    op.add_column("samples", sa.Column("duplicate_group", sa.Integer(), nullable=True))
    kind = sa.Enum("exact", "near", name="duplicatekind", native_enum=False, length=8)
    op.add_column("samples", sa.Column("duplicate_kind", kind, nullable=True))
    for name in ("conflicting", "leaking"):
        no = sa.false()
        op.add_column("samples", sa.Column(name, sa.Boolean(), nullable=False, server_default=no))
    where = sa.text("duplicate_group IS NOT NULL")
    op.create_index(
        _INDEX,
        "samples",
        ["dataset_id", "position"],
        sqlite_where=where,
        postgresql_where=where,
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "samples")
    for name in ("leaking", "conflicting", "duplicate_kind", "duplicate_group"):
        op.drop_column("samples", name)
