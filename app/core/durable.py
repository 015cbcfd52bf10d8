"""Files that are whole or absent, whatever kills the process."""

import json
import os
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_file(source: Path, target: Path) -> None:
    """Move a finished file to its name: contents first, then the name."""
    with source.open("rb+") as file:
        os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    sync_folder(target.parent)


def write_bytes(target: Path, data: bytes) -> None:
    """Write `data` under `target` by way of a temporary name beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    publish_file(temporary, target)


def write_json(target: Path, value: Any) -> None:
    """Write strict JSON (no NaN) as `write_bytes` does."""
    write_bytes(target, json.dumps(value, allow_nan=False, indent=1).encode())
