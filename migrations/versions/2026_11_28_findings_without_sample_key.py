"""Findings go with their version alone: no foreign key to samples, nor the index that it needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision: str = "2026_11_28_findings"
down_revision: str | None = "2026_11_25_likely"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_KEY = "fk_findings_sample_id_samples"
_INDEX = "ix_findings_sample_id"
_FLAGGED = "ix_findings_flagged"


def upgrade() -> None:
    op.drop_index(_INDEX, "findings")
    with _changed() as table:
        table.drop_constraint(_KEY, type_="foreignkey")


def downgrade() -> None:
    findings = sa.table("findings", sa.column("sample_id"))
    samples = sa.table("samples", sa.column("id"))
    orphaned = findings.c.sample_id.not_in(sa.select(samples.c.id))
    op.execute(sa.delete(findings).where(orphaned))
    with _changed() as table:
        table.create_foreign_key(_KEY, "samples", ["sample_id"], ["id"], ondelete="CASCADE")
    op.create_index(_INDEX, "findings", ["sample_id"])


@contextmanager
def _changed() -> Iterator[BatchOperations]:
    """SQLite makes the table anew: nothing points to findings, so nothing is lost."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.drop_index(_FLAGGED, "findings")
    with op.batch_alter_table("findings", table_kwargs={"sqlite_with_rowid": False}) as table:
        yield table
    if is_sqlite:
        # After the index of all ranks: of two that fit, SQLite prefers the later one.
        where = sa.text("flagged")
        op.create_index(_FLAGGED, "findings", ["version_id", "rank"], sqlite_where=where)
