"""A bucket of tokens for each tenant: in this process, or in Redis for all of them together."""

import math
import threading
import time
from ipaddress import IPv4Address, IPv6Network, ip_address
from uuid import UUID

import structlog
from redis import RedisError
from throttled import (
    BaseStore,
    MemoryStore,
    Quota,
    RateLimiterType,
    RedisStore,
    Throttled,
    exceptions,
    per_min,
)

from app.accounts.schemas import Principal
from app.core.settings import Settings
from app.http.errors import RateLimitedError

_PATIENCE_SECONDS = 0.25
"""What a request waits for Redis at most."""
_RETRY_SECONDS = 5.0
"""How long Redis is left alone after it did not answer."""
MAX_FAILURES = 10
"""Sign-ins from one address that may fail at once, and in a minute."""
_MAX_ADDRESSES = 1024
_MAX_NAME = 64
_log = structlog.get_logger(__name__)


class RateLimiter:
    """Lets each tenant send so many requests a minute, all of them at once if it likes.

    While Redis is away each process counts for itself: no request fails because of it.
    """

    def __init__(self, settings: Settings) -> None:
        """Count in Redis, where there is one."""
        self._default = settings.quotas["requests_per_minute"]
        self._own: BaseStore = MemoryStore()
        self._shared: BaseStore | None = None
        if settings.redis_url is not None:
            options = {
                "SOCKET_TIMEOUT": _PATIENCE_SECONDS,
                "SOCKET_CONNECT_TIMEOUT": _PATIENCE_SECONDS,
            }
            self._shared = RedisStore(settings.redis_url.get_secret_value(), options)
        self._shared_again_at = 0.0
        self._lock = threading.Lock()

    def count(self, caller: Principal) -> None:
        """Take one of the caller's tokens.

        Raises:
            RateLimitedError: There is none; `Retry-After` says when there will be.
        """
        self.require(caller.tenant_id, caller.max_requests_per_minute)

    def require(self, tenant_id: UUID, own_limit: int | None) -> None:
        """Take a token.

        Raises:
            RateLimitedError: There is none; `Retry-After` says when there will be.
        """
        limit = self._default if own_limit is None else own_limit
        if limit is None:
            return
        wait = self._take(f"{tenant_id}:{limit}", per_min(limit, burst=limit))
        if wait is not None:
            raise RateLimitedError(
                f"The tenant may send {limit} requests a minute.",
                headers={"Retry-After": str(wait)},
                quota="requests_per_minute",
                limit=limit,
            )

    def _take(self, key: str, quota: Quota) -> int | None:
        """Return the seconds to wait, none where there was a token."""
        if self._shared is not None and time.monotonic() >= self._shared_again_at:
            try:
                return _take_from(self._shared, key, quota)
            except (exceptions.BaseThrottledError, RedisError) as error:
                self._shared_again_at = time.monotonic() + _RETRY_SECONDS
                _log.warning("rate_limit_without_redis", error=type(error).__name__)
        with self._lock:
            return _take_from(self._own, key, quota)


class FailedSignIns:
    """Lets each address fail so often a minute; each process counts for itself.

    Nobody guesses a key. But whoever tries takes time from others, and there is no tenant yet whose
    requests could be counted.
    """

    def __init__(self) -> None:
        """Begin with no failure; of many addresses those that failed last are remembered."""
        self._store = MemoryStore(options={"MAX_SIZE": _MAX_ADDRESSES})
        self._lock = threading.Lock()

    def require(self, address: str) -> None:
        """Make sure that an address may try.

        Raises:
            RateLimitedError: It failed too often; `Retry-After` says when it may try again.
        """
        with self._lock:
            state = self._bucket().peek(_network_of(address))
        if state.remaining < 1:
            wait = max(1, math.ceil(state.retry_after))
            raise RateLimitedError(
                f"So many sign-ins failed from here that the next one is tried in {wait} s.",
                headers={"Retry-After": str(wait)},
            )

    def note(self, address: str) -> None:
        """Count a failure."""
        with self._lock:
            self._bucket().limit(_network_of(address))

    def _bucket(self) -> Throttled:
        quota = per_min(MAX_FAILURES, burst=MAX_FAILURES)
        return Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=self._store)


def _network_of(address: str) -> str:
    """Return whose address it is: of IPv6 a single customer has 2^64."""
    try:
        known = ip_address(address)
    except ValueError:
        return address[:_MAX_NAME]  # as a proxy put it
    if isinstance(known, IPv4Address):
        return address
    return str(IPv6Network((int(known) >> 64 << 64, 64)))


def _take_from(store: BaseStore, key: str, quota: Quota) -> int | None:
    # GCRA is a token bucket that keeps one exact number instead of whole tokens and seconds.
    bucket = Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=store)
    result = bucket.limit(f"labelaudit:{key}")
    return max(1, math.ceil(result.state.retry_after)) if result.limited else None
