"""What schemathesis must be told of our media types, and of what it must not saw off."""

import os
from typing import Any

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def piece_of_an_upload(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Send the bytes as they were made."""
    return value if isinstance(value, bytes) else str(value).encode()


OWN_IDS = "LABELAUDIT_FUZZ_OWN_IDS"
"""Variable with the ids of the key that is used and of its tenant, separated by a comma."""
_CHANGES = frozenset({"DELETE", "PATCH", "POST"})
_NO_ID = "00000000"
_ONCE = "Idempotency-Key"
_used: set[str] = set()
"""Keys of requests that were taken; one process makes all calls."""


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Leave the own key and its limits as they are: else all that follows is 401 or 429.

    Nor does a chain of requests use an idempotency key twice: the stored reply names what an
    earlier chain may have deleted, which looks as if it had never been made.
    """
    own = os.environ.get(OWN_IDS, "").split(",")
    if case.operation.method.upper() in _CHANGES:
        for name, value in (case.path_parameters or {}).items():
            if str(value) in own:
                case.path_parameters[name] = _NO_ID
    if _in_a_chain(case) and case.headers.get(_ONCE) in _used:
        del case.headers[_ONCE]


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Note the idempotency key of a request that was taken."""
    if _in_a_chain(case) and _ONCE in case.headers and response.status_code < 300:
        _used.add(case.headers[_ONCE])


def _in_a_chain(case: Any) -> bool:
    """Tell whether a request goes on from the replies to others. Cases of single headers do not."""
    phase = None if case.meta is None else case.meta.phase.name
    return phase == "stateful" and bool(case.headers)
