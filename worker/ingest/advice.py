"""What to say of an upload of which no file became a sample."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import chain, islice, zip_longest

from worker.files.errors import RejectCode
from worker.ingest.members import Rejection

_MAX_REASONS = 3
_MAX_EXAMPLES = 5
_READ = "JPEG, PNG, WebP and BMP are read."
_WAYS_OUT = {
    RejectCode.NO_LABEL: "Put each class into a folder of its own, or add a table of labels with "
    "the columns path and label.",
    RejectCode.MISSING_FILE: "Paths in a table count from its folder, or from the top of the "
    "upload.",
    RejectCode.NESTED_ARCHIVE: "Unpack the archives inside it, and pack their files.",
    RejectCode.ENCRYPTED: "Pack the files without a password.",
    RejectCode.UNSUPPORTED_COMPRESSION: "Pack the files with Deflate, or without compression.",
    RejectCode.NOT_AN_IMAGE: _READ,
    RejectCode.UNSUPPORTED_FORMAT: _READ,
}


def tell_no_samples(rejections: Collection[Rejection]) -> str:
    """Count the reasons, show some files, and say what helps against the commonest reason."""
    by_code = defaultdict[RejectCode, list[Rejection]](list)
    for rejection in rejections:
        by_code[rejection.code].append(rejection)
    groups = sorted(by_code.values(), key=len, reverse=True)
    counted = ", ".join(f"{len(group):,} {group[0].code}" for group in groups[:_MAX_REASONS])
    shown = ", ".join(
        f"'{rejection.path}' ({rejection.code})"
        for rejection in islice(_in_turn(groups), _MAX_EXAMPLES)
    )
    sentences = (
        f"The archive holds no labelled image that can be read: {counted}.",
        f"For example {shown}; the list of rejected files has the reason for each.",
        _WAYS_OUT.get(groups[0][0].code),
    )
    return " ".join(filter(None, sentences))


def _in_turn(groups: Collection[list[Rejection]]) -> Iterator[Rejection]:
    """Yield the first of each group, then the second of each, and so on."""
    return filter(None, chain.from_iterable(zip_longest(*groups)))
