"""Row-level security between tenants, on PostgreSQL."""

from collections.abc import Sequence

from migrations.tenancy import OWN, leave_role, protect, unprotect

revision: str = "2026_11_25_tenant_wall"
down_revision: str | None = "2026_11_25_superseded"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TABLES: dict[str, str] = {
    "tenants": "id = current_setting('app.tenant', true)::uuid",
    # What they are for is to be read by anybody.
    "published_keys": "true",
    # A subquery that names no column of the row is carried out once for a statement; the wall of
    # the table in it makes it the tenant's own.
    "findings": "version_id IN (SELECT id FROM result_versions)",
    "decision_entries": "dataset_id IN (SELECT id FROM datasets)",
} | dict.fromkeys(
    (
        "api_keys", "artifacts", "audit_entries", "blobs", "datasets", "decision_steps",
        "idempotency_keys", "job_attempts", "job_events", "jobs", "random_samples",
        "rejected_files", "review_claims", "second_opinions",
        "result_versions", "samples", "uploads", "web_sessions", "webhook_deliveries",
        "webhooks",
    ),
    OWN,
)  # fmt: skip


def upgrade() -> None:
    for table, condition in _TABLES.items():
        protect(table, condition)


def downgrade() -> None:
    for table in _TABLES:
        unprotect(table)
    leave_role()
