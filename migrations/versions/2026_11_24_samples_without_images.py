"""Samples without images: the rows of uploaded scores."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_24"
down_revision: str | None = "2026_11_23"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "sha256": sa.String(length=64),
    "media_type": sa.String(length=20),
    "width": sa.Integer(),
    "height": sa.Integer(),
}
_INDEX, _INDEXED = "ix_samples_tenant_id_sha256", ["tenant_id", "sha256"]


def upgrade() -> None:
    _change_columns(nullable=True)


def downgrade() -> None:
    # The schema before this one knows neither the kind of job nor its samples.
    jobs = sa.table("jobs", sa.column("dataset_id"), sa.column("kind"))
    datasets = sa.table("datasets", sa.column("id"))
    scored = sa.select(jobs.c.dataset_id).where(jobs.c.kind == "score")
    op.execute(sa.delete(datasets).where(datasets.c.id.in_(scored)))
    _change_columns(nullable=False)


def _change_columns(*, nullable: bool) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _replace_columns(nullable=nullable)
        return
    for name, column_type in _TYPES.items():
        op.alter_column("samples", name, existing_type=column_type, nullable=nullable)


def _replace_columns(*, nullable: bool) -> None:
    """Put new columns in place of the old ones.

    SQLite cannot change a column. Batch mode would drop the whole table instead, and all findings
    with it: they are deleted with their samples.
    """
    op.drop_index(_INDEX, "samples")
    for name, column_type in _TYPES.items():
        new = f"{name}_new"
        default = None if nullable else "0"
        column = sa.Column(new, column_type, nullable=nullable, server_default=default)
        op.add_column("samples", column)
        samples = sa.table("samples", sa.column(name), sa.column(new))
        op.execute(sa.update(samples).values({new: samples.c[name]}))
        op.drop_column("samples", name)
        op.alter_column("samples", new, new_column_name=name)
    op.create_index(_INDEX, "samples", _INDEXED)
