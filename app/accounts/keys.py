"""The format of API keys: `la_live_<id>_<secret><checksum>`.

The prefix lets secret scanners find a leaked key, the checksum refuses a mistyped one without
asking the database, the id finds its row. The secret has 256 random bits, so that a fast
keyed hash is enough: there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "la_live"
_NUM_ID, _NUM_SECRET, _NUM_CHECKSUM = 8, 43, 6
_FORMAT = re.compile(
    rf"{_PREFIX}_([0-9A-Za-z]{{{_NUM_ID}}})_[0-9A-Za-z]{{{_NUM_SECRET + _NUM_CHECKSUM}}}", re.ASCII
)


def make_key() -> tuple[str, str]:
    """Return a new key's public id and the whole key."""
    key_id = _random_text(_NUM_ID)
    body = f"{_PREFIX}_{key_id}_{_random_text(_NUM_SECRET)}"
    return key_id, body + _checksum(body)


def find_key_id(key: str) -> str | None:
    """Return the public id of a well-formed key."""
    match = _FORMAT.fullmatch(key)
    if match is None or _checksum(key[:-_NUM_CHECKSUM]) != key[-_NUM_CHECKSUM:]:
        return None
    return match[1]


def hash_key(key: str, pepper: bytes) -> str:
    """Return what is stored of a key."""
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_NUM_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
