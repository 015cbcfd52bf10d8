"""Archives that mean harm or nonsense, each with the code it has to get."""

import gzip
import tarfile

import zstandard

from tests.worker.stages.ingest.hostile_makers import (
    MIB,
    Make,
    changed,
    data,
    entry_of,
    fields,
    member,
    nested,
    noise,
    overlapping,
    zipped,
)
from tests.worker.stages.ingest.making import (
    make_tar,
    make_zip,
    two_classes,
    zip_with_link,
    zip_with_twin,
)

ARCHIVES: dict[str, tuple[Make, str]] = {
    "zip slip": (member("../../evil.png"), "unsafe_name"),
    "absolute name": (member("/tmp/evil.png"), "unsafe_name"),  # noqa: S108 - never written
    "drive": (member("C:/evil.png"), "unsafe_name"),
    "backslash": (member("cat\\..\\evil.png"), "unsafe_name"),
    "name of 300 bytes": (member(f"cat/{'n' * 300}.png"), "unsafe_name"),
    "name with an escape": (member("cat/\x1b[2J.png"), "unsafe_name"),
    "name written backwards": (member("cat/gnp.\u202eexe"), "unsafe_name"),
    "40 folders deep": (member("a/" * 40 + "x.png"), "unsafe_name"),
    "name twice": (zip_with_twin, "duplicate_name"),
    "name in capitals": (member("cat/1.PNG"), "duplicate_name"),
    "link in a zip": (zip_with_link, "not_a_regular_file"),
    "encrypted": (fields(local={6: b"\x01"}, central={8: b"\x01"}), "encrypted"),
    "unknown compression": (
        fields(local={8: b"\x09"}, central={10: b"\x09"}), "unsupported_compression",
    ),
    "zip in the zip": (member("cat/more.zip", nested(3)), "nested_archive"),
    "overlapping entries": (overlapping, "suspicious_archive"),
    "two names for one file": (fields(local={30: b"dog"}, central={}), "suspicious_archive"),
    "two checksums": (fields(local={14: b"1234"}, central={}), "suspicious_archive"),
    "two sizes": (fields(local={22: b"\x01\0\0\0"}, central={}), "suspicious_archive"),
    "data behind the zip": (changed(zipped(), lambda z: z + b"x"), "suspicious_archive"),
    "data before the zip": (changed(zipped(), lambda z: b"#!/bin/sh\n" + z), "suspicious_archive"),
    "two zips": (changed(zipped(), lambda z: z + z), "suspicious_archive"),
    "zip and tar": (
        lambda path: path.write_bytes(
            make_tar(path, two_classes()).read_bytes() + make_zip(path, two_classes()).read_bytes()
        ),
        "suspicious_archive",
    ),
    "zeros in a zip": (
        zipped(**{f"cat/{n}0.png": bytes(33 * MIB) for n in range(2)}), "suspicious_archive",
    ),
    "1,001 empty files": (
        zipped(**{f"cat/{n}.png": b"" for n in range(3, 1002)}), "too_many_files",
    ),
    "zip cut off": (changed(zipped(), lambda z: z[:-40]), "truncated_archive"),
    "hard link": (entry_of(tarfile.LNKTYPE), "not_a_regular_file"),
    "symbolic link": (entry_of(tarfile.SYMTYPE, link="/etc/passwd"), "not_a_regular_file"),
    "character device": (entry_of(tarfile.CHRTYPE), "not_a_regular_file"),
    "block device": (entry_of(tarfile.BLKTYPE), "not_a_regular_file"),
    "FIFO": (entry_of(tarfile.FIFOTYPE), "not_a_regular_file"),
    "sparse file": (entry_of(tarfile.GNUTYPE_SPARSE), "not_a_regular_file"),
    "tar slip": (entry_of(tarfile.REGTYPE, "../../evil.png"), "unsafe_name"),
    "tar cut off": (
        changed(lambda path: make_tar(path, two_classes()), lambda t: t[:1500]),
        "truncated_archive",
    ),
    "data behind the tar": (
        changed(lambda path: make_tar(path, two_classes()), lambda t: t + b"x" * 512),
        "suspicious_archive",
    ),
    "tar header changed": (
        changed(lambda path: make_tar(path, two_classes()), lambda t: t[:1030] + b"?" + t[1031:]),
        "corrupt_archive",
    ),
    "gzip cut off": (
        changed(lambda path: make_tar(path, two_classes(), mode="w:gz"), lambda t: t[:-20]),
        "truncated_archive",
    ),
    "gzip of text": (data(gzip.compress(b"just text" * 99)), "unknown_archive"),
    "zeros in a gzip": (data(gzip.compress(bytes(70 * MIB), 1)), "suspicious_archive"),
    "zstd cut off": (data(zstandard.compress(noise("BMP"))[:-20]), "truncated_archive"),
    "zstd changed": (data(zstandard.compress(b"x" * 999)[:-3] + b"???"), "corrupt_archive"),
    "zstd of text": (data(zstandard.compress(b"just text" * 99)), "unknown_archive"),
    "zeros in a zstd": (data(zstandard.compress(bytes(70 * MIB))), "suspicious_archive"),
    "7z": (data(b"7z\xbc\xaf\x27\x1c" + bytes(99)), "unknown_archive"),
    "RAR": (data(b"Rar!\x1a\x07" + bytes(99)), "unknown_archive"),
    "xz": (data(b"\xfd7zXZ\0" + bytes(99)), "unknown_archive"),
    "text": (data(b"just text"), "unknown_archive"),
    "nothing": (data(b""), "unknown_archive"),
}  # fmt: skip
