"""The pepper of the key hashes: without it a stolen database verifies no key."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from app.core.durable import sync_folder
from app.core.settings import Settings

_NUM_BYTES = 32


def load_pepper(settings: Settings) -> bytes:
    """Return `LABELAUDIT_SECRET`, or the contents of `DIR/secret`, made on first use."""
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    path = settings.data_dir / "secret"
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
