"""What can be wrong with an upload, or with one of its files. The codes are part of the API."""

from enum import StrEnum
from typing import NamedTuple


class FailureCode(StrEnum):
    """Why an upload as a whole cannot be taken."""

    UNKNOWN_ARCHIVE = "unknown_archive"
    """Nothing that we read, by its content."""
    CORRUPT_ARCHIVE = "corrupt_archive"
    TRUNCATED_ARCHIVE = "truncated_archive"
    """It ends before its own end mark."""
    SUSPICIOUS_ARCHIVE = "suspicious_archive"
    """Built so that two readers would see different files in it, or to fill the disk."""
    INVALID_TABLE = "invalid_table"
    """A list of labels (CSV, JSON, Parquet) that cannot be read; the detail names the row."""
    UNKNOWN_COLUMN = "unknown_column"
    """The upload lacks a column that the user named."""
    INVALID_ARRAYS = "invalid_arrays"
    """An npz whose images and labels do not fit each other or our limits."""
    EMPTY_ARCHIVE = "empty_archive"
    NO_SAMPLES = "no_samples"
    """It holds files, but not one labelled image."""
    TOO_FEW_CLASSES = "too_few_classes"
    """Fewer than two classes with at least two training samples each."""
    TOO_MANY_FILES = "too_many_files"
    ARCHIVE_TOO_LARGE = "archive_too_large"
    TOO_SLOW = "too_slow"
    """It needs far more computing than an upload of its size should."""


class RejectCode(StrEnum):
    """Why one file became no sample. The others are taken all the same."""

    UNSAFE_NAME = "unsafe_name"
    DUPLICATE_NAME = "duplicate_name"
    """Another file has this name, or one that differs only in case or Unicode form."""
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    NO_LABEL = "no_label"
    """It lies in no class folder, or no table names it."""
    INVALID_LABEL = "invalid_label"
    """The table's label for it is no text or no known class."""
    INVALID_ANNOTATOR = "invalid_annotator"
    """A row of a table of several annotators' labels does not say whose it is."""
    UNKNOWN_SPLIT = "unknown_split"
    MISSING_FILE = "missing_file"
    """A table names a file that is not there."""
    DUPLICATE_ROW = "duplicate_row"
    """A table names the file more than once, or twice for one annotator."""
    ENCRYPTED = "encrypted"
    UNSUPPORTED_COMPRESSION = "unsupported_compression"
    UNREADABLE_MEMBER = "unreadable_member"
    """Its packed bytes are damaged."""
    FILE_TOO_LARGE = "file_too_large"
    IMAGE_TOO_LARGE = "image_too_large"
    """Too many pixels."""
    NOT_AN_IMAGE = "not_an_image"
    NESTED_ARCHIVE = "nested_archive"
    UNSUPPORTED_FORMAT = "unsupported_format"
    """An image or a document, but no JPEG, PNG, WebP or BMP."""
    TRUNCATED_IMAGE = "truncated_image"
    BROKEN_IMAGE = "broken_image"
    """Begins like an image that we read, and cannot be decoded."""


class UploadError(Exception):
    """The upload cannot be taken; the user sees why."""

    def __init__(self, code: FailureCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Refusal(NamedTuple):
    """Why one file is not taken."""

    code: RejectCode
    detail: str


class RefusedFileError(Exception):
    """This one file is not taken."""

    def __init__(self, code: RejectCode, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(code, detail)


class UnreadableDataError(Exception):
    """An array or a table cannot be read; the detail is a clause without a full stop.

    Whoever asked for the data turns it into an error of its own.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InterruptedReadError(Exception):
    """The supervisor asked for an end; nothing was published."""
