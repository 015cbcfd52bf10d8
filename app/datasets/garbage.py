"""Blobs that no row points to: what a failed ingest or a crash left in the store."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.blobs import Blobs
from app.core.bulk import batches
from app.core.db import Database
from app.datasets.repository import BlobRepository

_BATCH = 200
"""Small, since new jobs of the tenant wait meanwhile."""


def collect_garbage(database: Database, blobs: Blobs, tenant_id: UUID) -> int:
    """Remove the blobs of a tenant that nothing needs; return how many.

    Ends early where a job waits or runs: it may have put blobs that it does not point to yet.
    """
    num_removed = 0
    with database.unit_of_work() as session:
        if not BlobRepository(session, tenant_id).lock_against_new_jobs():
            return 0
        blobs.tidy()
    for names in batches(blobs.names(), _BATCH):
        with database.unit_of_work() as session:
            unused = remove_unused(session, blobs, tenant_id, names)
        if unused is None:
            break
        num_removed += len(unused)
    return num_removed


def remove_unused(
    session: Session, blobs: Blobs, tenant_id: UUID, names: Sequence[str]
) -> Sequence[str] | None:
    """Remove those of these blobs that no row points to; None where a job may be about to."""
    rows = BlobRepository(session, tenant_id)
    if not rows.lock_against_new_jobs():
        return None
    unused = sorted(set(names) - rows.in_use(names))
    # Files before rows: if this is cut short, a row without its file is harmless, since putting
    # the same bytes again looks for the file.
    blobs.remove(unused)
    rows.forget(unused)
    return unused
