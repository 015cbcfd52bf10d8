"""What a study reads: class folders, by the service's own ingest; or Fashion-MNIST."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import ml
from benchmarks.images import fashion_mnist, stratified_rows
from benchmarks.study.data import Images, Labels, StudyData
from labelaudit.audit import pack_folder
from labelaudit.errors import InputError
from labelaudit.terminal import note
from worker.files.errors import UploadError
from worker.files.limits import Limits
from worker.stages.ingest.layout import TEST
from worker.stages.ingest.pipeline import Spec, ingest

_FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
TEST_SHARE = 0.2
"""Of the images, held out where there is no test split."""
_HOLD_OUT_SEED = 0
"""One for all cells, so that every cell trains and tests on the same images."""
_LIMITS = Limits(
    max_files=10_000_000,
    max_file_bytes=1024**3,
    max_unpacked_bytes=1024**4,
    max_image_pixels=100_000_000,
)
"""Wide: these are the user's own files on the user's own machine."""


def read_data(
    source: Path,
    *,
    max_train: int | None = None,
    max_test: int | None = None,
    without: Path | None = None,
) -> StudyData:
    """Read labelled images.

    Args:
        source: Folder `[train|test/]<class>/<image>`, or an archive of one.
        max_train: Most training images; a stratified choice is taken where there are more.
        max_test: The same for test images.
        without: Folder below `source` that is not read: results of an earlier study.

    Raises:
        InputError: The images cannot be taken.
        ServiceError: There is no space left for reading them.
    """
    if not source.exists():
        raise InputError(f"no such file or folder: {str(source)!r}", code="not_found")
    if not (source.is_dir() or source.is_file()):
        raise InputError(f"{source} is neither a folder nor a file", code="not_a_file")
    with tempfile.TemporaryDirectory(prefix="labelaudit-study-") as name:
        work = Path(name)
        archive = source
        if source.is_dir():
            archive = work / "images.zip"
            pack_folder(source, archive, without=without)
        summary = _ingest(archive, work)
        images, labels, is_test = _arrays(work, summary)
        train, test = _split(labels, is_test, max_train, max_test)
        return StudyData(
            name=source.resolve().stem,
            classes=tuple(summary["classes"]),
            train_images=np.array(images[train]),
            train_labels=labels[train],
            test_images=np.array(images[test]),
            test_labels=labels[test],
        )


def read_fashion_mnist(*, max_train: int, max_test: int) -> StudyData:
    """Return the first images of each class."""
    train, test = fashion_mnist(max_train), fashion_mnist(max_test, split="t10k")
    return StudyData(
        name="Fashion-MNIST",
        classes=_FASHION_CLASSES,
        train_images=train.images,
        train_labels=train.labels,
        test_images=test.images,
        test_labels=test.labels,
    )


def _ingest(archive: Path, work: Path) -> dict[str, Any]:
    """Decode all images into `work` and return what the ingest says of them."""
    spec = Spec(
        archive=archive, out_dir=work, blob_dir=work / "blobs", image_size=None, limits=_LIMITS
    )
    try:
        ingest(spec, safe_point=lambda: None, emit=lambda _fraction, _speed: None)
    except UploadError as error:
        raise InputError(error.detail, code=error.code) from error
    summary: dict[str, Any] = json.loads((work / "summary.json").read_text("utf-8"))
    note(f"{summary['num_samples']:,} images of {len(summary['classes'])} classes")
    for warning in summary["warnings"]:
        note(f"warning: {warning}")
    return summary


def _arrays(
    work: Path, summary: dict[str, Any]
) -> tuple[Images, Labels, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    with (work / "samples.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    size = summary["image_size"]
    images: Images = np.memmap(
        work / f"images-{size}.u8", dtype=np.uint8, mode="r", shape=(len(rows), size, size, 3)
    )
    if size > ml.LARGEST_TRAINED:
        side = ml.LARGEST_TRAINED
        smaller: Images = np.empty((len(rows), side, side, 3), dtype=np.uint8)
        ml.resize_images(images, out=smaller)
        images = smaller
    labels = np.array([row["label"] for row in rows], dtype=np.int64)
    return images, labels, np.array([row["split"] == TEST for row in rows])


def _split(
    labels: Labels, is_test: Any, max_train: int | None, max_test: int | None
) -> tuple[Labels, Labels]:
    """Return the rows to train on and the rows to test on."""
    generator = np.random.default_rng(_HOLD_OUT_SEED)
    if not is_test.any():
        is_test = np.zeros(len(labels), dtype=np.bool_)
        is_test[stratified_rows(labels, round(TEST_SHARE * len(labels)), generator)] = True
    chosen = []
    for rows, most in ((np.flatnonzero(~is_test), max_train), (np.flatnonzero(is_test), max_test)):
        limit = len(rows) if most is None else most
        chosen.append(rows[stratified_rows(labels[rows], limit, generator)])
    return chosen[0], chosen[1]
