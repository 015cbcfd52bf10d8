"""Further probable classes of a sample; what is neither mislabelled nor clean is found quickly."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_25_likely"
down_revision: str | None = "2026_11_25_tenant_wall"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ODD = sa.text("verdict NOT IN ('clean', 'mislabeled')")


def upgrade() -> None:
    op.add_column("findings", sa.Column("likely", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_findings_odd",
        "findings",
        ["version_id", "verdict", "rank"],
        sqlite_where=_ODD,
        postgresql_where=_ODD,
    )


def downgrade() -> None:
    op.drop_index("ix_findings_odd", "findings")
    op.drop_column("findings", "likely")
