"""`Idempotency-Key`: any POST may be repeated, and is carried out once (decision 85).

The key's row is written in the transaction that does the work, and so is the reply: there is no
state "under way" that a crash could leave behind. Kept replies are encrypted, since a database dump
must show no key and no secret.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from anyio import to_thread
from cryptography.fernet import Fernet, InvalidToken
from fastapi import Depends, Header, Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as DependsParam
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.responses import Response
from typing_extensions import override

from app.accounts.auth import Requirement
from app.accounts.repository import IdempotencyRepository
from app.accounts.schemas import Principal, Scope
from app.http.body_limit import read_whole
from app.http.context import AppContext
from app.http.deps import BEGUN
from app.http.errors import IdempotencyInFlightError, IdempotencyMismatchError

_PURPOSE = b"idempotency"


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    def seal(self, pepper: bytes) -> bytes:
        """Return it encrypted under the service's secret."""
        content = [self.status, self.headers, base64.b64encode(self.body).decode()]
        return _cipher(pepper).encrypt(json.dumps(content).encode())

    @classmethod
    def open(cls, sealed: bytes, pepper: bytes) -> "StoredReply | None":
        """Read what `seal` made; nothing where the service's secret was another then."""
        try:
            status, headers, body = json.loads(_cipher(pepper).decrypt(sealed))
        except InvalidToken:
            return None
        return cls(status, headers, base64.b64decode(body))


def _cipher(pepper: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(pepper, _PURPOSE, hashlib.sha256)))


_HEADER = "idempotency-key"
_PATTERN = r"^[\x21-\x7e]+$"
_MAX_LENGTH = 255
_ONCE = "once"
# Of the headers only these change what a POST does.
_TELLING_HEADERS = ("content-type", "tus-resumable", "upload-length", "upload-metadata")
REPLAYED = "Idempotency-Replayed"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=_MAX_LENGTH,
        pattern=_PATTERN,
        description="Makes it safe to repeat: a repetition with the same key within 48 hours is "
        "answered like the first request, with `Idempotency-Replayed: true`, and does nothing.",
        examples=["nightly-2026-11-25"],
    ),
]


class RepeatedError(Exception):
    """This request was carried out before; it ends the repetition and is never shown."""

    def __init__(self, reply: StoredReply) -> None:
        """Answer with `reply`."""
        super().__init__("repeated")
        self.reply = reply


class Once:
    """One request that is carried out at most once, if it has a key."""

    def __init__(self, context: AppContext, caller: Principal | None, key: str | None) -> None:
        """Do nothing at all without a key or a caller."""
        self._context = context
        self._caller = caller
        self._tenant_id = caller.tenant_id if caller is not None else None
        self._key = key
        self._who = caller.key_id if caller is not None else None
        self.request_hash: str | None = None
        """Of the whole request, where that is known before the route runs."""
        self.session: Session | None = None
        """The unit of work that does what the key stands for."""
        self.answered = False

    def require(self, *scopes: Scope) -> None:
        """Make sure that the caller has these rights.

        Raises:
            ForbiddenError: The caller has not.
        """
        if self._caller is not None:
            self._caller.require(*scopes)

    @property
    def place(self) -> tuple[str, str] | None:
        """Tenant and key; none where nothing is to be done."""
        if self._tenant_id is None or self._key is None:
            return None
        return str(self._tenant_id), self._key

    def hash(self, *request: object) -> str:
        """Return the hash of a request of this caller."""
        content = json.dumps([self._who, *request], default=str)
        return hashlib.sha256(content.encode()).hexdigest()

    def look(self, session: Session) -> None:
        """Know an earlier request without writing anything.

        Raises:
            RepeatedError: It was this one.
            IdempotencyMismatchError: It was another one.
        """
        if self.request_hash is None or self._tenant_id is None or self._key is None:
            return
        row = IdempotencyRepository(session, self._tenant_id).find(self._key)
        if row is not None:
            self._recall(row.request_hash, row.reply, self.request_hash)

    def reserve(self, session: Session, request_hash: str) -> None:
        """Begin the work in this transaction.

        Raises:
            RepeatedError: It was done before.
            IdempotencyMismatchError: The key was used for something else.
            IdempotencyInFlightError: Another process is at it.
        """
        if self._tenant_id is None or self._key is None:
            return
        keys = IdempotencyRepository(session, self._tenant_id)
        if not keys.try_lock(self._key):
            raise _in_flight()
        row = keys.reserve(self._key, request_hash)
        self._recall(row.request_hash, row.reply, request_hash)
        self.session = session

    def begun(self, session: Session) -> None:
        """Reserve in the request's own transaction, as soon as that begins."""
        if self.request_hash is not None:
            self.reserve(session, self.request_hash)

    def remember(self, session: Session, reply: StoredReply) -> None:
        """Keep the reply with the work."""
        self.answered = True
        if self._tenant_id is None or self._key is None:
            return
        sealed = reply.seal(self._context.pepper)
        IdempotencyRepository(session, self._tenant_id).fulfil(self._key, sealed)

    def finish(self, response: Response) -> None:
        """Keep the reply of a route that did not do so itself; what failed is forgotten."""
        if self.answered or self.request_hash is None:
            return
        if self.session is not None:
            self._settle(self.session, response)
        elif response.status_code < 300:  # the route wrote nothing, or in transactions of its own
            with self._context.database.unit_of_work() as session:
                self.reserve(session, self.request_hash)
                self._settle(session, response)

    def _settle(self, session: Session, response: Response) -> None:
        body = getattr(response, "body", None)
        if response.status_code < 300 and isinstance(body, bytes):
            self.remember(session, StoredReply(response.status_code, {**response.headers}, body))
        elif self._tenant_id is not None and self._key is not None:
            IdempotencyRepository(session, self._tenant_id).forget(self._key)

    def _recall(self, known_hash: str, sealed: bytes | None, request_hash: str) -> None:
        if known_hash != request_hash:
            raise IdempotencyMismatchError("This key was used for another request.")
        if sealed is None:
            return
        reply = StoredReply.open(sealed, self._context.pepper)
        if reply is None:
            raise IdempotencyMismatchError("This key is of a time before the service's new secret.")
        raise RepeatedError(reply)


def _declared(_key: KeyHeader = None) -> None:
    """Check and document the header."""


class StreamingRoute(APIRoute):
    """A route whose POST may be repeated; it reads its body itself and calls `Once.reserve`."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, methods: Any = None, **options: Any
    ) -> None:
        """Add the header to what a POST takes."""
        self._posts = "POST" in {method.upper() for method in methods or ()}
        dependencies: Sequence[DependsParam] = options.pop("dependencies", None) or ()
        if self._posts:
            dependencies = [*dependencies, Depends(_declared)]
        super().__init__(path, endpoint, methods=methods, dependencies=dependencies, **options)

    @override
    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        if not self._posts:
            return handle

        async def handle_once(request: Request) -> Response:
            once = _once_of(request)
            setattr(request.state, _ONCE, once)
            if once.place is None:
                return await handle(request)
            with _one_at_a_time(request.app.state.context, once.place):
                try:
                    return await self._carry_out(request, once, handle)
                except RepeatedError as repeated:
                    reply = repeated.reply
                    return Response(reply.body, reply.status, {**reply.headers, REPLAYED: "true"})

        return handle_once

    async def _carry_out(self, request: Request, _once: Once, handle: Handler) -> Response:
        return await handle(request)


class IdempotentRoute(StreamingRoute):
    """A route whose POST may be repeated; its body is small and read before it runs."""

    @override
    async def _carry_out(self, request: Request, once: Once, handle: Handler) -> Response:
        once.require(*_scopes(self.dependant))  # before a byte of the body is taken in
        request = Request(request.scope, read_whole(request.receive))
        body = await request.body()
        await to_thread.run_sync(_look, request, once, body)
        setattr(request.state, BEGUN, once.begun)
        response = await handle(request)
        # Still inside the request's transaction: that ends after this.
        await to_thread.run_sync(once.finish, response)
        return response


@contextmanager
def _one_at_a_time(context: AppContext, place: tuple[str, str]) -> Iterator[None]:
    if not context.in_flight.enter(place):
        raise _in_flight()
    try:
        yield
    finally:
        context.in_flight.leave(place)


def _in_flight() -> IdempotencyInFlightError:
    return IdempotencyInFlightError(
        "The first request with this key is still under way; ask again soon.",
        headers={"Retry-After": "1"},
    )


def _scopes(dependant: Dependant) -> set[Scope]:
    """Return the rights that a route asks for."""
    own = dependant.call.scopes if isinstance(dependant.call, Requirement) else ()
    return set(own).union(*map(_scopes, dependant.dependencies))


def _look(request: Request, once: Once, body: bytes) -> None:
    once.request_hash = once.hash(*_content(request), _meaning(body))
    context: AppContext = request.app.state.context
    with context.database.read() as session:
        once.look(session)


def _content(request: Request) -> list[object]:
    headers: Mapping[str, str] = request.headers
    return [
        request.method,
        request.url.path,
        sorted(request.query_params.multi_items()),
        [headers.get(name) for name in _TELLING_HEADERS],
    ]


def _meaning(body: bytes) -> object:
    """Two ways to write the same JSON are the same request."""
    try:
        return json.dumps(json.loads(body), sort_keys=True)
    except (ValueError, RecursionError):
        return hashlib.sha256(body).hexdigest()


def _once_of(request: Request) -> Once:
    principal: Principal | None = getattr(request.state, "principal", None)
    key = request.headers.get(_HEADER, "")
    # What is no key is refused by `_declared`, and never looked for.
    is_key = len(key) <= _MAX_LENGTH and re.fullmatch(_PATTERN, key) is not None
    return Once(request.app.state.context, principal, key if is_key else None)


def _get_once(request: Request) -> Once:
    once: Once | None = getattr(request.state, _ONCE, None)
    return once or _once_of(request)  # of a GET, whose dependencies are a POST's too


OnceDep = Annotated[Once, Depends(_get_once)]
