"""The client of the HTTP service, awaited or not. It needs neither the server nor torch.

`_async` is written by hand; `make api-docs` makes `_sync` and `labelaudit.schemas`.
"""

from labelaudit.client._async.api import AsyncClient
from labelaudit.client._sync.api import Client

__all__ = ["AsyncClient", "Client"]
