"""What can be wrong with an upload, or with one of its files. The codes are part of the API."""

from enum import StrEnum
from typing import NamedTuple


class FailureCode(StrEnum):
    """Why an upload as a whole cannot be taken."""

    UNKNOWN_ARCHIVE = "unknown_archive"
    """By its content, no format that is read."""
    CORRUPT_ARCHIVE = "corrupt_archive"
    TRUNCATED_ARCHIVE = "truncated_archive"
    """The end mark of the format is missing."""
    SUSPICIOUS_ARCHIVE = "suspicious_archive"
    """Two programs could see different files in it, or it is built to fill the disk."""
    INVALID_TABLE = "invalid_table"
    """A list of labels (CSV, JSON, Parquet) that cannot be read; the detail names the row."""
    UNKNOWN_COLUMN = "unknown_column"
    """The upload lacks a column that the user named."""
    INVALID_ARRAYS = "invalid_arrays"
    """Images and labels of an npz do not fit each other, or exceed a limit."""
    EMPTY_ARCHIVE = "empty_archive"
    NO_SAMPLES = "no_samples"
    """It holds files, but not one labelled image."""
    TOO_FEW_CLASSES = "too_few_classes"
    """Fewer than two classes with at least two training samples each."""
    TOO_MANY_FILES = "too_many_files"
    ARCHIVE_TOO_LARGE = "archive_too_large"
    TOO_SLOW = "too_slow"
    """Reading it takes far more processor time than an upload of its size should."""


class RejectCode(StrEnum):
    """Why one file became no sample. The other files are taken."""

    UNSAFE_NAME = "unsafe_name"
    DUPLICATE_NAME = "duplicate_name"
    """Another file has this name, or one that differs only in case or Unicode form."""
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    NO_LABEL = "no_label"
    """The file lies in no class folder, or no table names the file."""
    INVALID_LABEL = "invalid_label"
    """The label in the table is no text, or no known class."""
    INVALID_ANNOTATOR = "invalid_annotator"
    """A row of a table with several annotators names no annotator."""
    UNKNOWN_SPLIT = "unknown_split"
    MISSING_FILE = "missing_file"
    """A table names a file that is not in the upload."""
    DUPLICATE_ROW = "duplicate_row"
    """A table names the file more than once, or twice for one annotator."""
    ENCRYPTED = "encrypted"
    UNSUPPORTED_COMPRESSION = "unsupported_compression"
    UNREADABLE_MEMBER = "unreadable_member"
    """The packed bytes of the file are damaged."""
    FILE_TOO_LARGE = "file_too_large"
    IMAGE_TOO_LARGE = "image_too_large"
    """The image has too many pixels."""
    NOT_AN_IMAGE = "not_an_image"
    NESTED_ARCHIVE = "nested_archive"
    UNSUPPORTED_FORMAT = "unsupported_format"
    """An image or a document, but no JPEG, PNG, WebP or BMP."""
    TRUNCATED_IMAGE = "truncated_image"
    BROKEN_IMAGE = "broken_image"
    """The file begins like an image that is read, but cannot be decoded."""


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

    The caller turns it into an error that names the file.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
