"""Findings are kept in the order of their ranks; what looks them up otherwise is tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision: str = "2026_11_28_ranks"
down_revision: str | None = "2026_11_28_findings"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_VERSIONS = "fk_findings_version_id_result_versions"
_RANKS = "ix_findings_version_id_rank"
_LOSSES = "ix_findings_version_id_loss_rank"
_FLAGGED, _ODD = "ix_findings_flagged", "ix_findings_odd"
_OF_A_VERSION = "version_id IN (SELECT id FROM result_versions)"


def upgrade() -> None:
    _make("sample_ranks", _big("sample_id"), sa.Column("rank", sa.Integer(), nullable=False))
    _make(
        "loss_ranks",
        sa.Column("loss", sa.Double(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
    )
    op.drop_index(_RANKS, "findings")
    op.drop_index(_LOSSES, "findings")
    _change_key("rank", has_versions=False)
    _create_partial("version_id", "flagged", "rank", "sample_id", is_flagged="flagged = 1")


def downgrade() -> None:
    versions = "SELECT id FROM result_versions"
    op.execute(f"DELETE FROM findings WHERE version_id NOT IN ({versions})")  # noqa: S608 - ours
    _change_key("sample_id", has_versions=True)
    op.create_index(_RANKS, "findings", ["version_id", "rank"], unique=True)
    op.create_index(_LOSSES, "findings", ["version_id", "loss", "rank"])
    # After the index of all ranks: of two that fit, SQLite prefers the later one.
    _create_partial("version_id", "rank", is_flagged="flagged")
    op.drop_table("loss_ranks")
    op.drop_table("sample_ranks")


def _make(name: str, *columns: sa.Column[int] | sa.Column[float]) -> None:
    key = ["version_id", *(column.name for column in columns)]
    if name == "sample_ranks":
        key.remove("rank")
    op.create_table(
        name,
        _big("version_id"),
        *columns,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )
    names = ", ".join(["version_id", *(column.name for column in columns)])
    order = ", ".join(key)
    op.execute(f"INSERT INTO {name} ({names}) SELECT {names} FROM findings ORDER BY {order}")  # noqa: S608 - ours
    protect(name, _OF_A_VERSION)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _change_key(column: str, *, has_versions: bool) -> None:
    """SQLite makes the table anew: nothing points to findings, so nothing is lost."""
    _drop_partial()
    with op.batch_alter_table("findings", table_kwargs={"sqlite_with_rowid": False}) as table:
        if not has_versions:
            table.drop_constraint(_VERSIONS, type_="foreignkey")
        table.drop_constraint("pk_findings", type_="primary")
        table.create_primary_key("pk_findings", ["version_id", column])
        if has_versions:
            table.create_foreign_key(
                _VERSIONS, "result_versions", ["version_id"], ["id"], ondelete="CASCADE"
            )


def _drop_partial() -> None:
    for name in (_FLAGGED, _ODD):
        op.drop_index(name, "findings")


def _create_partial(*flagged: str, is_flagged: str) -> None:
    on_postgres, where = sa.text("flagged"), sa.text("verdict NOT IN ('clean', 'mislabeled')")
    op.create_index(
        _FLAGGED,
        "findings",
        [*flagged],
        sqlite_where=sa.text(is_flagged),
        postgresql_where=on_postgres,
    )
    op.create_index(
        _ODD,
        "findings",
        ["version_id", "verdict", "rank"],
        sqlite_where=where,
        postgresql_where=where,
    )
