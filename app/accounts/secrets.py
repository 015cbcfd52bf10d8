"""The secrets of the service itself, made on first start unless they are set.

The pepper of the key hashes: without it a stolen database verifies no key. The signing key: whoever
has it can sign results in the name of this service.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from app.core.durable import sync_folder
from app.core.settings import Settings
from app.core.signing import NUM_SEED_BYTES, SigningKey

_NUM_BYTES = 32


def load_pepper(settings: Settings) -> bytes:
    """Return `LABELAUDIT_SECRET`, or the contents of `DIR/secret`, made on first use."""
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    return _kept(settings.data_dir / "secret")


def load_signing_key(settings: Settings) -> SigningKey:
    """Return the key of `LABELAUDIT_SIGNING_KEY`, or of `DIR/signing-key`, made on first use.

    Raises:
        ValueError: The setting is no key.
    """
    if settings.signing_key is None:
        return SigningKey(_kept(settings.data_dir / "signing-key"))
    text = settings.signing_key.get_secret_value()
    try:
        return SigningKey(bytes.fromhex(text))
    except ValueError:
        raise ValueError(
            f"LABELAUDIT_SIGNING_KEY has to be {2 * NUM_SEED_BYTES} hexadecimal digits, as "
            f"`openssl rand -hex {NUM_SEED_BYTES}` makes them"
        ) from None


def _kept(path: Path) -> bytes:
    """Return the secret of a file, made on first use."""
    if not path.exists():
        _create(path)
    return bytes.fromhex(path.read_text())


def _create(path: Path) -> None:
    """Write a whole file or none; of two processes at once the first one's counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_NUM_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
        sync_folder(path.parent)
    finally:
        temporary.unlink()
