"""The wall between tenants inside PostgreSQL: row-level security for the role of the API.

Each table gets a policy for that role. Owners, and so migrations, workers and the sweeper, pass it.
"""

from alembic import op

ROLE = "labelaudit_tenant"
OWN = "tenant_id = current_setting('app.tenant', true)::uuid"
"""Of a table with a column `tenant_id`; where nothing is set, nothing is seen."""


def protect(table: str, condition: str = OWN) -> None:
    """Let the role see and write only the rows of `table` for which `condition` holds."""
    if not _on_postgres():
        return
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant_wall ON {table} TO {ROLE} "
        f"USING ({condition}) WITH CHECK ({condition})"
    )


def unprotect(table: str) -> None:
    """Take the wall of one table down."""
    if _on_postgres():
        op.execute(f"DROP POLICY tenant_wall ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def only_appended(table: str) -> None:
    """Let the role add rows to `table` but never change or remove one."""
    if _on_postgres():
        op.execute(f"REVOKE UPDATE, DELETE ON {table} FROM {ROLE}")


def make_role() -> None:
    """Make the role, unless an administrator did, and let it work in this schema.

    A user that may not make roles gets PostgreSQL's own error; docs/guide/server-mode.md has the
    two statements for an administrator.
    """
    if not _on_postgres():
        return
    op.execute(f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
                CREATE ROLE {ROLE} NOLOGIN;
            END IF;
            IF NOT pg_has_role(current_user, '{ROLE}', 'MEMBER') THEN
                EXECUTE format('GRANT {ROLE} TO %I', current_user);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of the same server was upgraded at the same moment
        END $$""")
    for what in ("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "USAGE ON ALL SEQUENCES"):
        op.execute(f"GRANT {what} IN SCHEMA public TO {ROLE}")
        default = what.replace("ALL ", "")
        op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {default} TO {ROLE}")
    op.execute(f"REVOKE ALL ON alembic_version FROM {ROLE}")


def leave_role() -> None:
    """Take the role's rights in this schema away; other databases may still need the role."""
    if not _on_postgres():
        return
    for what in ("ALL ON ALL TABLES", "ALL ON ALL SEQUENCES"):
        op.execute(f"REVOKE {what} IN SCHEMA public FROM {ROLE}")
        default = what.replace("ON ALL ", "ON ")
        op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE {default} FROM {ROLE}")


def _on_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
