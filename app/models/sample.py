from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, enum_type


class Split(StrEnum):
    """Train samples are audited; test samples only measure accuracy."""

    TRAIN = "train"
    TEST = "test"


class DuplicateKind(StrEnum):
    """Whether another sample has the same file, or only the same picture."""

    EXACT = "exact"
    NEAR = "near"


class Sample(Base):
    """One image with the label it came with, or one row of uploaded scores, which has no image."""

    __tablename__ = "samples"
    __table_args__ = (
        UniqueConstraint("dataset_id", "position"),
        # Is a blob still in use?
        Index(None, "tenant_id", "sha256"),
        Index(
            "ix_samples_tenant_id_thumb_sha256",
            "tenant_id",
            "thumb_sha256",
            sqlite_where=text("thumb_sha256 IS NOT NULL"),
            postgresql_where=text("thumb_sha256 IS NOT NULL"),
        ),
        Index(
            "ix_samples_duplicates",
            "dataset_id",
            "position",
            sqlite_where=text("duplicate_group IS NOT NULL"),
            postgresql_where=text("duplicate_group IS NOT NULL"),
        ),
        Index(
            "ix_samples_pictures",
            "dataset_id",
            "picture",
            sqlite_where=text("picture IS NOT NULL"),
            postgresql_where=text("picture IS NOT NULL"),
        ),
        Index(
            "ix_samples_agreement",
            "dataset_id",
            "position",
            sqlite_where=text("agreement IS NOT NULL"),
            postgresql_where=text("agreement IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    position: Mapped[int]
    """Place in the data set by path, and row in the decoded image cache."""
    path: Mapped[str]
    """The member's path inside the upload; for a row of scores its number, from 0."""
    split: Mapped[Split] = mapped_column(enum_type(Split, length=16))
    given_label: Mapped[int]
    sha256: Mapped[str | None] = mapped_column(String(64))
    """The image's blob; this and what follows is empty where there is no image."""
    thumb_sha256: Mapped[str | None] = mapped_column(String(64))
    """A small re-encoded copy; none where the file itself is small and stores what is seen."""
    media_type: Mapped[str | None] = mapped_column(String(20))
    width: Mapped[int | None]
    height: Mapped[int | None]
    duplicate_group: Mapped[int | None]
    """Lowest position among the samples that show the same picture; none where it stands alone."""
    picture: Mapped[int | None]
    """Lowest position among the samples with the very same pixels; none where it stands alone."""
    duplicate_kind: Mapped[DuplicateKind | None] = mapped_column(enum_type(DuplicateKind, length=8))
    conflicting: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the same picture has another label too."""
    leaking: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the same picture is in another split too."""
    annotations: Mapped[dict[str, str] | None]
    """Class name by annotator, where the upload told several people's labels apart."""
    agreement: Mapped[float | None]
    """Share of the annotators who said the given label; none where fewer than two are known."""
    tied: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether several labels were said equally often, so that the given one was drawn."""
    decision: Mapped[str | None] = mapped_column(String(16))
    """The reviewers' latest decision."""
    decided_label: Mapped[int | None]
    """The right label, where the decision is to relabel."""
    exclusion: Mapped[str | None] = mapped_column(String(16))
    """Why, where the decision is to exclude."""
    decision_id: Mapped[int | None] = mapped_column(BigInteger)
    """The entry of the log that is in force."""
    version: Mapped[int] = mapped_column(default=1)
    """Counts the decisions; what `If-Match` compares."""
