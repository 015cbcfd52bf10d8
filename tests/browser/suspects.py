"""An audited data set with real images, for tests of the review."""

import colorsys
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from app.core.clock import utc_now
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.models import Dataset, Finding, Job, JobState, ResultVersion, Sample
from app.models.likely import SCALE
from tests.browser.rows import Seed
from tests.support.evidence import class_losses_file, evidence_file
from tests.support.factories import make_artifact, make_sample, with_ranks
from tests.support.rows import make_job

NUM_IMAGES = 12
_VERDICTS = ("mislabeled", "mislabeled", "mislabeled", "off_topic")
_SIGNALS = {"posterior": 0.97, "mean_loss": 3.2, "disagreement": 0.8, "margin": -2.5}


@dataclass(frozen=True, slots=True)
class Suspects:
    """What was made."""

    dataset: Dataset
    job: Job
    sample_ids: list[int]

    @property
    def review_path(self) -> str:
        return f"/jobs/{self.job.id}/review"


def make_suspects(
    seed: Seed,
    num_samples: int,
    *,
    num_flagged: int | None = None,
    has_likely: bool = False,
    pictures: Sequence[bytes] = (),
    **values: object,
) -> Suspects:
    """Make samples that are flagged, the first one worst; labels and pictures go round."""
    dataset = seed.dataset(**{"num_samples": num_samples, "image_size": 64} | values)
    images = store_images(seed, pictures)
    num_classes = len(dataset.classes)
    with seed.database.unit_of_work() as session:
        session.add(dataset)
        samples = [
            make_sample(session, dataset, place, sha256=images[place % len(images)])
            for place in range(num_samples)
        ]
        job = make_job(session, dataset, started_at=utc_now(), finished_at=utc_now())
        version = ResultVersion(tenant_id=job.tenant_id, job_id=job.id, attempt=1)
        session.add(version)
        session.flush()
        limit = num_samples if num_flagged is None else num_flagged
        session.add_all(
            with_ranks(
                *(
                    _finding(
                        version.id,
                        sample,
                        place,
                        num_samples,
                        num_classes,
                        flagged=place < limit,
                        has_likely=has_likely,
                    )
                    for place, sample in enumerate(samples)
                )
            )
        )
        job.state, job.result_version = JobState.SUCCEEDED, version.id
        return Suspects(dataset, job, [sample.id for sample in samples])


def keep_evidence(seed: Seed, suspects: Suspects, num_epochs: int = 30) -> None:
    """Add what a training leaves of single samples: each is like those that come after it."""
    num_samples, num_classes = len(suspects.sample_ids), len(suspects.dataset.classes)
    labels = {place: place % num_classes for place in range(num_samples)}
    falling = [2.3 * 0.85**epoch for epoch in range(num_epochs)]
    near = {
        place: [(place + step * num_classes) % num_samples for step in (1, 2, 3, 4)]
        for place in labels
    }
    files = {
        "evidence": evidence_file(
            num_samples,
            {place: [2.0 + 0.4 * loss for loss in reversed(falling)] for place in labels},
            label=labels,
            like_given=near,
            like_suggested={
                place: [(other + 1) % num_samples for other in others]
                for place, others in near.items()
            },
        ),
        "class_losses": class_losses_file(
            [tuple([part * loss for loss in falling] for part in (0.4, 0.7, 1.0))] * num_classes
        ),
    }
    blobs = BlobStore(DataFolder(Settings(data_dir=seed.data_dir)).blobs(seed.tenant_id))
    with seed.database.unit_of_work() as session:
        job = session.get_one(Job, suspects.job.id)
        for kind, content in files.items():
            make_artifact(session, job, kind, content)
            blobs.put(content)


def store_images(seed: Seed, pictures: Sequence[bytes] = ()) -> list[str]:
    """Put pictures, these or some drawn here, into the tenant's store; return their hashes."""
    blobs = BlobStore(DataFolder(Settings(data_dir=seed.data_dir)).blobs(seed.tenant_id))
    return [blobs.put(each) for each in pictures or map(_picture, range(NUM_IMAGES))]


def _finding(
    version_id: int,
    sample: Sample,
    place: int,
    total: int,
    num_classes: int,
    *,
    flagged: bool,
    has_likely: bool,
) -> Finding:
    return Finding(
        version_id=version_id,
        sample_id=sample.id,
        rank=place + 1,
        given_label=sample.given_label,
        suggested_label=(sample.given_label + 1) % num_classes,
        suggested_confidence=0.9,
        p_mislabeled=0.99 * (1 - place / total),
        flagged=flagged,
        loss=5.0 - 4 * place / total,
        verdict=_VERDICTS[place % len(_VERDICTS)] if flagged else "clean",
        signals=_SIGNALS,
        likely=_pack_likely(sample.given_label, num_classes) if has_likely else None,
    )


def _pack_likely(given_label: int, num_classes: int) -> bytes:
    """The given label and the third one after it: the second one is the suggestion."""
    pairs = [(given_label, 0.06), ((given_label + 3) % num_classes, 0.03)]
    return b"".join(struct.pack("<HH", label, round(share * SCALE)) for label, share in pairs)


def _picture(number: int) -> bytes:
    hue = number / NUM_IMAGES
    ground, figure = (_colour(hue, value) for value in (0.85, 0.45))
    image = Image.new("RGB", (96, 72 + 4 * number), ground)
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 12, 76, 64), fill=figure)
    draw.polygon([(24, 20), (34, 2), (44, 18)], fill=figure)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _colour(hue: float, value: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.35, value))
    return red, green, blue
