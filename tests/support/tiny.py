"""A data set so easy that two epochs find its wrong labels: one colour a class."""

import numpy as np
import numpy.typing as npt

from app.core.db import Database
from app.core.storage import DataFolder
from app.models import Dataset, Sample, Split
from tests.support.rows import make_dataset, make_tenant

SIZE = 8
COLOURS = ((220, 40, 40), (40, 220, 40), (40, 40, 220))
CLASSES = ["red", "green", "blue"]


def tiny_images(
    num_samples: int, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return noisy images (N, 8, 8, 3) of three colours and their true labels (N,)."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num_samples) % len(COLOURS)
    noise = generator.integers(-35, 36, (num_samples, SIZE, SIZE, 3))
    colours = np.array(COLOURS)[labels][:, None, None, :]
    return np.clip(colours + noise, 0, 255).astype(np.uint8), labels


def plant_errors(
    labels: npt.NDArray[np.int64], *, every: int = 10
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the labels with each `every`-th one moved to the next class, and which those are."""
    is_wrong = np.arange(len(labels)) % every == every // 2
    return np.where(is_wrong, (labels + 1) % len(COLOURS), labels), is_wrong


def store_tiny_dataset(
    database: Database, files: DataFolder, *, num_train: int = 120, num_test: int = 30
) -> Dataset:
    """Put a ready data set into the database and its images into the cache."""
    images, truth = tiny_images(num_train + num_test)
    labels, _ = plant_errors(truth)
    with database.unit_of_work() as session:
        dataset = make_dataset(
            session, make_tenant(session).id, classes=CLASSES, image_size=SIZE,
            num_samples=len(labels), content_hash="c" * 64,
        )  # fmt: skip
        session.add_all(
            Sample(
                tenant_id=dataset.tenant_id,
                dataset_id=dataset.id,
                position=i,
                path=f"{CLASSES[label]}/{i:04d}.png",
                split=Split.TRAIN if i < num_train else Split.TEST,
                given_label=int(label),
                sha256=f"{i:064x}",
                media_type="image/png",
                width=SIZE,
                height=SIZE,
            )
            for i, label in enumerate(labels)
        )
    cache = files.image_cache(dataset.id, SIZE)
    cache.parent.mkdir(parents=True)
    images.tofile(cache)
    return dataset
