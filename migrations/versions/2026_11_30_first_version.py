"""The first version: all tables, and the wall between tenants."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import OWN, leave_role, protect

revision: str = "2026_11_30_ended_attempts"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# A subquery that names no column of the row is carried out once for a statement; the wall of the
# table in it makes it the tenant's own.
_OF_A_VERSION = "version_id IN (SELECT id FROM result_versions)"
_CONDITIONS = {
    "tenants": "id = current_setting('app.tenant', true)::uuid",
    "published_keys": "true",  # what they are for is to be read by anybody
    "folder_marks": "false",  # no request has to do with them
    "findings": _OF_A_VERSION,
    "sample_ranks": _OF_A_VERSION,
    "loss_ranks": _OF_A_VERSION,
    "decision_entries": "dataset_id IN (SELECT id FROM datasets)",
}
"""Of the tables without a column `tenant_id`."""
_TABLES = (
    "tenants",
    "api_keys",
    "audit_entries",
    "web_sessions",
    "idempotency_keys",
    "webhooks",
    "webhook_deliveries",
    "blobs",
    "datasets",
    "rejected_files",
    "samples",
    "jobs",
    "job_attempts",
    "job_events",
    "ended_attempts",
    "uploads",
    "folder_marks",
    "result_versions",
    "findings",
    "sample_ranks",
    "loss_ranks",
    "artifacts",
    "published_keys",
    "decision_steps",
    "decision_entries",
    "random_samples",
    "review_claims",
    "second_opinions",
)
"""Each after those that it points to."""


def upgrade() -> None:
    _make_accounts()
    _make_datasets()
    _make_jobs()
    _make_results()
    _make_reviews()
    for table in _TABLES:
        protect(table, _CONDITIONS.get(table, OWN))


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    leave_role()


def _make_accounts() -> None:
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("max_samples", sa.BigInteger(), nullable=True),
        sa.Column("max_queued_jobs", sa.BigInteger(), nullable=True),
        sa.Column("max_running_jobs", sa.BigInteger(), nullable=True),
        sa.Column("max_gpu_minutes", sa.BigInteger(), nullable=True),
        sa.Column("max_requests_per_minute", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
        sa.UniqueConstraint("name", name="uq_tenants_name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_api_keys_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("key_id", name="uq_api_keys_key_id"),
    )
    op.create_index("ix_api_keys_tenant_id", "api_keys", ["tenant_id"])
    op.create_table(
        "audit_entries",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=100), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_audit_entries_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_tenant_id_id", "audit_entries", ["tenant_id", "id"])
    op.create_table(
        "web_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["api_keys.key_id"],
            name="fk_web_sessions_key_id_api_keys",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_web_sessions_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_web_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_web_sessions_token_hash"),
    )
    op.create_index("ix_web_sessions_expires_at", "web_sessions", ["expires_at"])
    op.create_index("ix_web_sessions_key_id", "web_sessions", ["key_id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_idempotency_keys_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "webhooks",
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_webhooks_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_tenant_id", "webhooks", ["tenant_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("num_tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_answer", sa.String(length=200), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_webhook_deliveries_tenant_id_tenants"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name="fk_webhook_deliveries_webhook_id_webhooks",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
    )
    op.create_index("ix_webhook_deliveries_next_at", "webhook_deliveries", ["next_at"])
    op.create_index(
        "ix_webhook_deliveries_webhook_id_created_at",
        "webhook_deliveries",
        ["webhook_id", "created_at"],
    )


def _make_datasets() -> None:
    op.create_table(
        "blobs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_blobs_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("tenant_id", "sha256", name="pk_blobs"),
    )
    op.create_table(
        "datasets",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("upload_name", sa.String(length=255), nullable=False),
        sa.Column("upload_sha256", sa.String(length=64), nullable=False),
        sa.Column("upload_bytes", sa.BigInteger(), nullable=False),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("num_rejected", sa.Integer(), nullable=False),
        sa.Column("num_duplicates", sa.Integer(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("splits", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("image_size", sa.Integer(), nullable=True),
        sa.Column("ingest_report", sa.JSON(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_datasets_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
    )
    op.create_index(
        "ix_datasets_tenant_id_created_at_id", "datasets", ["tenant_id", "created_at", "id"]
    )
    op.create_index("ix_datasets_parent_id", "datasets", ["parent_id"])
    op.create_table(
        "rejected_files",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name="fk_rejected_files_dataset_id_datasets",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_rejected_files_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rejected_files"),
    )
    op.create_index("ix_rejected_files_dataset_id_id", "rejected_files", ["dataset_id", "id"])
    op.create_table(
        "samples",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.Column("given_label", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("thumb_sha256", sa.String(length=64), nullable=True),
        sa.Column("media_type", sa.String(length=20), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("decided_label", sa.Integer(), nullable=True),
        sa.Column("exclusion", sa.String(length=16), nullable=True),
        sa.Column("decision_id", sa.BigInteger(), nullable=True),
        sa.Column("duplicate_group", sa.Integer(), nullable=True),
        sa.Column("duplicate_kind", sa.String(length=8), nullable=True),
        sa.Column("conflicting", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("leaking", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("annotations", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("agreement", sa.Double(), nullable=True),
        sa.Column("tied", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name="fk_samples_dataset_id_datasets",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_samples_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("id", name="pk_samples"),
        sa.UniqueConstraint("dataset_id", "position", name="uq_samples_dataset_id_position"),
    )
    op.create_index(
        "ix_samples_tenant_id_thumb_sha256",
        "samples",
        ["tenant_id", "thumb_sha256"],
        sqlite_where=sa.text("thumb_sha256 IS NOT NULL"),
        postgresql_where=sa.text("thumb_sha256 IS NOT NULL"),
    )
    op.create_index("ix_samples_tenant_id_sha256", "samples", ["tenant_id", "sha256"])
    op.create_index(
        "ix_samples_duplicates",
        "samples",
        ["dataset_id", "position"],
        sqlite_where=sa.text("duplicate_group IS NOT NULL"),
        postgresql_where=sa.text("duplicate_group IS NOT NULL"),
    )
    op.create_index(
        "ix_samples_agreement",
        "samples",
        ["dataset_id", "position"],
        sqlite_where=sa.text("agreement IS NOT NULL"),
        postgresql_where=sa.text("agreement IS NOT NULL"),
    )


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("queue", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=24), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lost_attempts", sa.Integer(), nullable=False),
        sa.Column("handed_over", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("checkpoint", sa.String(length=255), nullable=True),
        sa.Column("fraction", sa.Double(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("epochs", sa.Integer(), nullable=True),
        sa.Column("eta_seconds", sa.Double(), nullable=True),
        sa.Column("images_per_second", sa.Double(), nullable=True),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("error_detail", sa.String(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_version", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=True),
        sa.Column("input_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="fk_jobs_dataset_id_datasets", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_jobs_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_dataset_id", "jobs", ["dataset_id"])
    op.create_index("ix_jobs_state_queue_queued_at", "jobs", ["state", "queue", "queued_at"])
    op.create_index("ix_jobs_tenant_id_created_at_id", "jobs", ["tenant_id", "created_at", "id"])
    op.create_table(
        "job_attempts",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=False),
        sa.Column("stage", sa.String(length=24), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("log", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_attempts_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_job_attempts_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_job_attempts"),
    )
    op.create_index("ix_job_attempts_job_id_id", "job_attempts", ["job_id", "id"])
    op.create_index("ix_job_attempts_outcome_stage", "job_attempts", ["outcome", "stage"])
    op.create_index(
        "ix_job_attempts_tenant_id_started_at", "job_attempts", ["tenant_id", "started_at"]
    )
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_events_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_job_events_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_job_events"),
    )
    op.create_table(
        "ended_attempts",
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=24), nullable=False),
        sa.Column("num_attempts", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_ended_attempts_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "outcome", "stage", name="pk_ended_attempts"),
    )
    op.create_table(
        "uploads",
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_uploads_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_uploads_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_tenant_id", "uploads", ["tenant_id"])
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    op.create_index("ix_uploads_job_id", "uploads", ["job_id"])
    op.create_table(
        "folder_marks",
        sa.Column("service", sa.String(length=16), nullable=False),
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("service", name="pk_folder_marks"),
    )


def _make_results() -> None:
    op.create_table(
        "result_versions",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("base_id", sa.BigInteger(), nullable=True),
        sa.Column("calibration", sa.JSON(), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_result_versions_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_result_versions_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_result_versions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_result_versions_job_id", "result_versions", ["job_id"])
    op.create_index("ix_result_versions_superseded_at", "result_versions", ["superseded_at"])
    op.create_table(
        "findings",
        sa.Column("version_id", _BIG_INT, nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("given_label", sa.Integer(), nullable=False),
        sa.Column("suggested_label", sa.Integer(), nullable=False),
        sa.Column("suggested_confidence", sa.Double(), nullable=False),
        sa.Column("p_mislabeled", sa.Double(), nullable=True),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("loss", sa.Double(), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("p_uncalibrated", sa.Double(), nullable=True),
        sa.Column("likely", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("version_id", "rank", name="pk_findings"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_findings_flagged",
        "findings",
        ["version_id", "flagged", "rank", "sample_id"],
        sqlite_where=sa.text("flagged = 1"),
        postgresql_where=sa.text("flagged"),
    )
    op.create_index(
        "ix_findings_odd",
        "findings",
        ["version_id", "verdict", "rank"],
        sqlite_where=sa.text("verdict NOT IN ('clean', 'mislabeled')"),
        postgresql_where=sa.text("verdict NOT IN ('clean', 'mislabeled')"),
    )
    op.create_table(
        "sample_ranks",
        sa.Column("version_id", _BIG_INT, nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "sample_id", name="pk_sample_ranks"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "loss_ranks",
        sa.Column("version_id", _BIG_INT, nullable=False),
        sa.Column("loss", sa.Double(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "loss", "rank", name="pk_loss_ranks"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "artifacts",
        sa.Column("version_id", _BIG_INT, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=60), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_artifacts_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_artifacts_tenant_id_tenants"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["result_versions.id"],
            name="fk_artifacts_version_id_result_versions",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
        sa.UniqueConstraint("version_id", "kind", name="uq_artifacts_version_id_kind"),
    )
    op.create_index("ix_artifacts_job_id", "artifacts", ["job_id"])
    op.create_table(
        "published_keys",
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_published_keys"),
    )


def _make_reviews() -> None:
    op.create_table(
        "decision_steps",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=True),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("comment", sa.String(length=500), nullable=True),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_filter", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("resolves", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name="fk_decision_steps_dataset_id_datasets",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_decision_steps_job_id_jobs", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_decision_steps_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_decision_steps"),
    )
    op.create_index(
        "ix_decision_steps_dataset_id_kind_undone_id",
        "decision_steps",
        ["dataset_id", "kind", "undone", "id"],
    )
    op.create_index("ix_decision_steps_job_id", "decision_steps", ["job_id"])
    op.create_table(
        "decision_entries",
        sa.Column("id", _BIG_INT, nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("step_id", _BIG_INT, nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("from_decision", sa.String(length=16), nullable=True),
        sa.Column("from_label", sa.Integer(), nullable=True),
        sa.Column("from_reason", sa.String(length=16), nullable=True),
        sa.Column("to_decision", sa.String(length=16), nullable=True),
        sa.Column("to_label", sa.Integer(), nullable=True),
        sa.Column("to_reason", sa.String(length=16), nullable=True),
        sa.Column("previous_id", sa.BigInteger(), nullable=True),
        sa.Column("restored_id", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name="fk_decision_entries_dataset_id_datasets",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["samples.id"],
            name="fk_decision_entries_sample_id_samples",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["step_id"],
            ["decision_steps.id"],
            name="fk_decision_entries_step_id_decision_steps",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_decision_entries"),
        sa.UniqueConstraint("step_id", "sample_id", name="uq_decision_entries_step_id_sample_id"),
    )
    op.create_index("ix_decision_entries_dataset_id_id", "decision_entries", ["dataset_id", "id"])
    op.create_index("ix_decision_entries_sample_id_id", "decision_entries", ["sample_id", "id"])
    op.create_table(
        "random_samples",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_random_samples_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["samples.id"],
            name="fk_random_samples_sample_id_samples",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_random_samples_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("job_id", "position", name="pk_random_samples"),
    )
    op.create_index("ix_random_samples_sample_id", "random_samples", ["sample_id"])
    op.create_table(
        "review_claims",
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("reviewer", sa.String(length=16), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("second", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name="fk_review_claims_dataset_id_datasets",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_review_claims_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["samples.id"],
            name="fk_review_claims_sample_id_samples",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_review_claims_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("sample_id", "reviewer", name="pk_review_claims"),
    )
    op.create_index(
        "ix_review_claims_dataset_id_expires_at", "review_claims", ["dataset_id", "expires_at"]
    )
    op.create_index("ix_review_claims_job_id", "review_claims", ["job_id"])
    op.create_table(
        "second_opinions",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("sample_id", _BIG_INT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_second_opinions_job_id_jobs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["samples.id"],
            name="fk_second_opinions_sample_id_samples",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_second_opinions_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("job_id", "sample_id", name="pk_second_opinions"),
    )
    op.create_index("ix_second_opinions_sample_id", "second_opinions", ["sample_id"])
