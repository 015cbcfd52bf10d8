"""What each format of an export is good for, in a name and a line."""

from typing import NamedTuple

from app.exports.schemas import NEEDS_IMAGES, ExportFormat


class FormatWords(NamedTuple):
    """How the page describes a format."""

    name: str
    hint: str
    needs_images: bool


def _words(choice: ExportFormat, name: str, hint: str) -> FormatWords:
    return FormatWords(name, hint, choice in NEEDS_IMAGES)


_TEXTS = {
    ExportFormat.CSV: (
        "Corrections only (CSV)",
        "A short table: labels that change, images that are left out. For any spreadsheet.",
    ),
    ExportFormat.JSONL: (
        "Everything (JSON lines)",
        "One line a sample with all that is known of it. For scripts of your own.",
    ),
    ExportFormat.PARQUET: (
        "Parquet with images",
        "One file that Hugging Face datasets, pandas and Spark read.",
    ),
    ExportFormat.IMAGEFOLDER: (
        "Class folders (zip)",
        "One folder per class, as PyTorch, Keras and fastai expect it. Train on it at once.",
    ),
    ExportFormat.LABEL_STUDIO: (
        "Label Studio",
        "Tasks with labels and suggestions, to go on labelling there.",
    ),
    ExportFormat.FIFTYONE: (
        "FiftyOne (zip)",
        "Images and labels, to look at and to search with FiftyOne.",
    ),
    ExportFormat.CLEANLAB: (
        "cleanlab",
        "The columns that cleanlab and Cleanlab Studio use.",
    ),
    ExportFormat.CROISSANT: (
        "Croissant (zip)",
        "For publishing: the data set with a description that machines read, and every decision.",
    ),
}
FORMATS = {choice: _words(choice, *_TEXTS[choice]) for choice in ExportFormat}
"""Every format has words: a new one without any fails at the start, not on the page."""
