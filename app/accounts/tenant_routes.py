"""Tenants: the one part of the API that sees more than one of them."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.accounts.administration import TenantAdministration
from app.accounts.auth import Admin
from app.accounts.idempotency import IdempotentRoute
from app.accounts.schemas import (
    TenantCreate,
    TenantCreated,
    TenantExistsError,
    TenantQuotas,
    TenantRead,
)
from app.core.errors import ForbiddenError, InvalidCursorError, NotFoundError
from app.core.schemas import Page
from app.http.deps import ContextDep, begin_request
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.problems import problems

router = APIRouter(
    prefix="/v1/tenants",
    tags=["administration"],
    route_class=IdempotentRoute,
    responses=problems(*COMMON_ERRORS),
)


def _reading(caller: Admin, context: ContextDep) -> Iterator[TenantAdministration]:
    with context.database.read() as session:
        yield TenantAdministration(session, context.pepper, caller)


def _writing(
    request: Request, caller: Admin, context: ContextDep
) -> Iterator[TenantAdministration]:
    with context.database.unit_of_work() as session:
        begin_request(request, session)
        yield TenantAdministration(session, context.pepper, caller)


ReadingDep = Annotated[TenantAdministration, Depends(_reading, scope="function")]
WritingDep = Annotated[TenantAdministration, Depends(_writing, scope="function")]


@router.get(
    "",
    summary="List tenants, newest first: all of them for operators, else the own one",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_tenants(tenants: ReadingDep, paging: PagingDep) -> Page[TenantRead]:
    """Answer a page of them."""
    return paging.reply(tenants.newest(paging.wanted))


@router.post(
    "",
    status_code=201,
    summary="Make a tenant and its first key, which is shown this once; for operators",
    responses=problems(ForbiddenError, TenantExistsError),
)
def create_tenant(wanted: TenantCreate, tenants: WritingDep) -> TenantCreated:
    """The reply has a first key of the new tenant, with all scopes, shown this once."""
    return tenants.create(wanted)


@router.get("/{tenant_id}", summary="Get a tenant", responses=problems(NotFoundError))
def get_tenant(tenant_id: str, tenants: ReadingDep) -> TenantRead:
    """Answer with its own quotas."""
    return tenants.read(tenant_id)


@router.patch(
    "/{tenant_id}",
    summary="Set quotas of a tenant; for operators",
    responses=problems(NotFoundError, ForbiddenError),
)
def change_tenant(tenant_id: str, wanted: TenantQuotas, tenants: WritingDep) -> TenantRead:
    """Change only what is sent."""
    return tenants.change(tenant_id, wanted.model_dump(exclude_unset=True))
