"""The cookie that holds a session's token."""

from dataclasses import dataclass
from typing import Self

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from app.accounts.session_service import LIFETIME
from app.core.settings import Settings


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """No script can read it, no other site can use it, and off this machine it needs TLS."""

    name: str
    secure: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Name it after the port: cookies do not tell the ports of one host apart."""
        name = f"labelaudit_session_{settings.port}"
        # The prefix makes the browser insist on Secure, on this very host, on the whole path.
        secure = not settings.on_loopback
        return cls(f"__Host-{name}" if secure else name, secure)

    def read(self, headers: Headers) -> str | None:
        """Return the token that a browser sent."""
        return cookie_parser(headers.get("cookie", "")).get(self.name)

    def set(self, response: Response, token: str) -> None:
        """Hand a token to the browser."""
        response.set_cookie(
            self.name,
            token,
            max_age=int(LIFETIME.total_seconds()),
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        """Have the browser forget its token."""
        response.delete_cookie(self.name, secure=self.secure, httponly=True, samesite="lax")
