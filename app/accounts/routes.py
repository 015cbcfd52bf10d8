from typing import Annotated

from fastapi import APIRouter, Depends

from app.accounts.administration import KeyAdministration
from app.accounts.auth import Admin, Reader
from app.accounts.idempotency import IdempotentRoute
from app.accounts.quotas import Quotas
from app.accounts.schemas import (
    AuditEntryRead,
    KeyCreate,
    KeyCreated,
    KeyNotActiveError,
    KeyRead,
    KeyRotate,
    UsageRead,
)
from app.accounts.service import read_log
from app.core.errors import InvalidCursorError, NotFoundError
from app.core.schemas import Page
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.problems import problems

router = APIRouter(
    prefix="/v1",
    tags=["administration"],
    route_class=IdempotentRoute,
    responses=problems(*COMMON_ERRORS),
)


def _reading(caller: Admin, session: ReadSession, context: ContextDep) -> KeyAdministration:
    return KeyAdministration(session, context.pepper, caller)


def _writing(caller: Admin, session: WriteSession, context: ContextDep) -> KeyAdministration:
    return KeyAdministration(session, context.pepper, caller)


ReadingDep = Annotated[KeyAdministration, Depends(_reading)]
WritingDep = Annotated[KeyAdministration, Depends(_writing)]


@router.get(
    "/keys",
    summary="List API keys, newest first",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_keys(keys: ReadingDep, paging: PagingDep) -> Page[KeyRead]:
    """Without the secrets: of a key only a keyed hash is kept."""
    return paging.reply(keys.newest(paging.wanted))


@router.post("/keys", status_code=201, summary="Make an API key; it is shown this once")
def create_key(wanted: KeyCreate, keys: WritingDep) -> KeyCreated:
    """The reply is the only place where the key stands."""
    return keys.create(wanted)


@router.post(
    "/keys/{key_id}/rotate",
    status_code=201,
    summary="Replace an API key; the old one stays good for the overlap",
    responses=problems(NotFoundError, KeyNotActiveError),
)
def rotate_key(key_id: str, keys: WritingDep, wanted: KeyRotate | None = None) -> KeyCreated:
    """The new key has the same name and scopes, and is shown this once."""
    return keys.rotate(key_id, wanted or KeyRotate())


@router.delete(
    "/keys/{key_id}",
    status_code=204,
    summary="Revoke an API key at once",
    responses=problems(NotFoundError),
)
def revoke_key(key_id: str, keys: WritingDep) -> None:
    """It is refused from the next request on, in every process."""
    keys.revoke(key_id)


@router.get("/usage", summary="What the tenant uses, and its quotas")
def get_usage(caller: Reader, session: ReadSession, context: ContextDep) -> UsageRead:
    """Bytes, samples, jobs and GPU minutes; null where there is no quota."""
    return Quotas(session, caller.tenant_id, context.settings).read()


@router.get(
    "/audit-log",
    summary="List administrative acts, newest first",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_audit_entries(
    caller: Admin, session: ReadSession, paging: PagingDep
) -> Page[AuditEntryRead]:
    """Who made, changed or revoked what; entries are never removed."""
    return paging.reply(read_log(session, caller.tenant_id, paging.wanted))
