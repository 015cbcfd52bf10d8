from app.core.errors import AppError


class DatasetBusyError(AppError):
    """A job of the data set waits or runs."""

    status = 409
    code = "dataset_busy"
    title = "Data set in use"


class DatasetNotReadyError(AppError):
    """The data set is still being taken in, or could not be."""

    status = 409
    code = "dataset_not_ready"
    title = "Data set not ready"


class MissingFileError(AppError):
    """An upload without its file."""

    status = 422
    code = "missing_file"
    title = "File missing"


class EmptyUploadError(AppError):
    """A file of no bytes."""

    status = 422
    code = "empty_upload"
    title = "Empty upload"


class UnknownArchiveError(AppError):
    """Neither zip nor tar, by its first bytes."""

    status = 422
    code = "unknown_archive"
    title = "Unknown archive format"


class UnknownScoresError(AppError):
    """Neither npz nor Parquet, by its first bytes."""

    status = 422
    code = "unknown_scores_format"
    title = "Unknown format of scores"


class UnknownClassError(AppError):
    """A label that is no class of the data set."""

    status = 422
    code = "unknown_class"
    title = "Unknown class"


class NoImageError(AppError):
    """A row of uploaded scores: it was judged without its image."""

    status = 404
    code = "no_image"
    title = "Sample without an image"


class NoImagesError(AppError):
    """A data set of uploaded scores: there is nothing to train on, or to add images to."""

    status = 409
    code = "no_images"
    title = "Data set without images"
