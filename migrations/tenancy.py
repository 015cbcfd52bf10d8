"""The wall between tenants inside PostgreSQL: row-level security for the role of the API.

Each table gets a policy. Owners, and so migrations, workers and the sweeper, pass it.
"""

from alembic import op
from sqlalchemy import Connection

ROLE = "labelaudit_tenant"
ROLE_STATEMENTS = (f"CREATE ROLE {ROLE} NOLOGIN", f"GRANT {ROLE} TO CURRENT_USER")
"""An administrator runs them, with the owner's name, where the owner may not."""
_WITHHELD = ("UPDATE, DELETE ON audit_entries",)
"""The log of acts is only appended to."""
OWN = "tenant_id = current_setting('app.tenant', true)::uuid"
"""Of a table with a column `tenant_id`; where nothing is set, nothing is seen."""


def protect(table: str, condition: str = OWN) -> None:
    """Let everyone but the owner of `table` see and write only the rows that meet `condition`.

    The policy names no role: it can be made before the role of the requests is.
    """
    if not _on_postgres():
        return
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant_wall ON {table} USING ({condition}) WITH CHECK ({condition})")


def grant_role(connection: Connection) -> None:
    """Let the role of the requests work in this schema; make the role where that is allowed.

    An owner without CREATEROLE goes on without the role: `labelaudit db upgrade` and
    `labelaudit doctor` show the statements for an administrator. The next upgrade finds the role.
    """
    if connection.dialect.name != "postgresql":
        return
    for statement in ROLE_STATEMENTS:
        connection.exec_driver_sql(f"""
            DO $$ BEGIN
                {statement};
            EXCEPTION WHEN insufficient_privilege OR undefined_object  -- the administrator's part
                OR duplicate_object OR unique_violation THEN  -- made before, or at this moment
                NULL;
            END $$""")
    if not _is_member(connection):
        return
    for what in ("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "USAGE ON ALL SEQUENCES"):
        connection.exec_driver_sql(f"GRANT {what} IN SCHEMA public TO {ROLE}")
    for what in ("ALL ON alembic_version", *_WITHHELD):
        connection.exec_driver_sql(f"REVOKE {what} FROM {ROLE}")


def leave_role() -> None:
    """Take the role's rights in this schema away; other databases may still need the role."""
    if not (_on_postgres() and _is_member(op.get_bind())):
        return
    for what in ("ALL ON ALL TABLES", "ALL ON ALL SEQUENCES"):
        op.execute(f"REVOKE {what} IN SCHEMA public FROM {ROLE}")


def _is_member(connection: Connection) -> bool:
    """Tell whether the owner has the role: tables are no business of a role of others."""
    question = f"SELECT pg_has_role(to_regrole('{ROLE}'), 'MEMBER')"  # null where there is no role
    return bool(connection.exec_driver_sql(question).scalar())


def _on_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
