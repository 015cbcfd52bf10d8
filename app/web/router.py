"""All pages: a new one is added here and nowhere else."""

from fastapi import APIRouter, Depends

from app.web.access import own_page
from app.web.pages import datasets, jobs, promises, review, sign_in

router = APIRouter(include_in_schema=False, dependencies=[Depends(own_page)])
for _page in (sign_in, datasets, jobs, review, promises):
    router.include_router(_page.router)
