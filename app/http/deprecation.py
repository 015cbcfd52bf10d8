"""Routes on their way out say so in every reply (RFC 9745, RFC 8594)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime

from fastapi import Response

MIN_NOTICE = timedelta(days=180)


def deprecated(*, since: date, sunset: date, successor: str) -> Callable[[Response], None]:
    """Return a dependency for `dependencies=[Depends(...)]` of a route with `deprecated=True`.

    Args:
        since: From when on nobody should begin to use it.
        sunset: From when on it may be gone; at least `MIN_NOTICE` later.
        successor: Path of what replaces it.

    Raises:
        ValueError: The notice is too short.
    """
    if sunset - since < MIN_NOTICE:
        raise ValueError(f"a route stays for {MIN_NOTICE.days} days after it is deprecated")
    headers = {
        "Deprecation": f"@{int(_midnight(since).timestamp())}",
        "Sunset": format_datetime(_midnight(sunset), usegmt=True),
        "Link": f'<{successor}>; rel="successor-version"',
    }

    def announce(response: Response) -> None:
        response.headers.update(headers)

    return announce


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
