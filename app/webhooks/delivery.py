"""How messages leave: to public addresses only, and signed (Standard Webhooks)."""

import base64
import hashlib
import hmac
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit
from uuid import UUID

from app.webhooks.schemas import MAX_URL, InvalidWebhookUrlError

_PUBLIC = IPv6Network("2000::/3")
"""All that was ever given to networks of the world; the rest has special meanings, old ones too."""
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""What a NAT64 gateway turns into the IPv4 address at its end."""
_RELAYS = IPv4Network("192.88.99.0/24")
"""Once the way to the nearest 6to4 relay, whoever's that was."""
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver's URL, taken apart."""

    is_tls: bool
    host: str
    port: int
    path: str


def parse_target(url: str, *, private_allowed: bool) -> Target:
    """Take a URL apart.

    Raises:
        InvalidWebhookUrlError: It is none, holds a password, or is not https.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise InvalidWebhookUrlError("This is no URL.") from error
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidWebhookUrlError("Use a URL of plain printable characters.")
    if parts.scheme != "https" and not (private_allowed and parts.scheme == "http"):
        raise InvalidWebhookUrlError("Use an https URL.")
    if not host or "@" in parts.netloc:
        raise InvalidWebhookUrlError("Name a host, without user or password.")
    _require_name(host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme == "https", host, port or _PORTS[parts.scheme], path)


def _require_name(host: str) -> None:
    """Refuse what no look-up takes: an empty label, or one of more than 63 characters."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise InvalidWebhookUrlError("The host is no name that can be looked up.") from error


def resolve(target: Target, *, private_allowed: bool) -> str:
    """Return the one address to connect to: looked up once, so that no second answer can differ.

    Raises:
        InvalidWebhookUrlError: Not all of the host's addresses are public.
        OSError: The host has none.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not private_allowed and not all(_is_public(ip_address(text)) for text in addresses):
        raise InvalidWebhookUrlError("The host's address is not public.")
    return addresses[0]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        is_listed = address.is_global and address not in _RELAYS
        return is_listed and not address.is_multicast
    # Addresses that hold an IPv4 address are only as public as that one.
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if address in _TRANSLATED:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    if inner is not None:
        return _is_public(inner)
    return address in _PUBLIC and address.is_global


_PREFIX = "whsec_"


def secret_of(pepper: bytes, webhook_id: UUID) -> bytes:
    """Return a webhook's secret: derived, so that a stolen database signs nothing."""
    return hmac.digest(pepper, b"webhook:" + webhook_id.bytes, hashlib.sha256)


def show_secret(secret: bytes) -> str:
    """Write a secret as receivers' libraries take it."""
    return _PREFIX + base64.b64encode(secret).decode()


def signed_headers(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sent `body`, and when."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
