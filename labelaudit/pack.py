"""A folder of class folders as one archive to upload."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into an archive and what did not."""

    num_files: int
    num_left_out: int
    """Links, special files, names that are no text, files that cannot be read."""


def pack_folder(folder: Path, archive: Path, *, without: Path | None = None) -> Packed:
    """Write the regular files of `folder` into a zip, uncompressed since images are already.

    Hidden files and the folder `without`, where an earlier run left its results, stay out.
    The same files always make the same archive.
    """
    num_files = num_left_out = 0
    excluded = None if without is None else without.resolve()
    with ZipFile(archive, "w", ZIP_STORED) as packed:
        for entry in _walk(folder.resolve(), excluded):
            if _add(packed, entry, folder.resolve()):
                num_files += 1
            else:
                num_left_out += 1
    return Packed(num_files, num_left_out)


def _walk(folder: Path, excluded: Path | None) -> Iterator[os.DirEntry[str]]:
    """Yield all that is no folder, in the order of the names."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if not entry.is_dir(follow_symlinks=False):
            yield entry
        elif Path(entry.path) != excluded:
            yield from _walk(Path(entry.path), excluded)


def _add(packed: ZipFile, entry: os.DirEntry[str], root: Path) -> bool:
    """Add one file; tell whether it could be."""
    name = Path(entry.path).relative_to(root).as_posix()
    if not (entry.is_file(follow_symlinks=False) and _is_text(name)):
        return False
    try:
        source = open(entry.path, "rb")  # noqa: PTH123, SIM115 - closed below, once it did open
    except OSError:
        return False
    with source:
        member = ZipInfo(name)  # dated 1980: no time of the user's goes into the archive
        member.file_size = os.fstat(source.fileno()).st_size
        with packed.open(member, "w") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
    return True


def _is_text(name: str) -> bool:
    """Tell whether the file system's bytes are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
