"""How pages put numbers, times and formats of exports into words."""

from datetime import datetime, timedelta
from typing import NamedTuple

from app.core.clock import utc_now
from app.exports.schemas import NEEDS_IMAGES, ExportFormat

_LEAST_PERCENT = 0.01
_SIZES = (("GB", 10**9), ("MB", 10**6), ("kB", 1000))
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def number(value: int) -> str:
    """Write a count: 12,345."""
    return f"{value:,}"


def percent(fraction: float) -> str:
    """Write a share of one: 42 %."""
    return f"{fraction:.0%}".replace("%", "\N{NO-BREAK SPACE}%")


def rate(fraction: float) -> str:
    """Write a share of one that may be small: 42 %, 4.2 %, 0.42 %."""
    value = 100 * fraction
    if 0 < value < _LEAST_PERCENT:
        return f"less than {_LEAST_PERCENT}\N{NO-BREAK SPACE}%"
    digits = 0 if value >= 10 or value == 0 else 1 if value >= 1 else 2
    return f"{value:.{digits}f}\N{NO-BREAK SPACE}%"


def between(interval: tuple[float, float]) -> str:
    """Write where a share of one lies: between 1.2 % and 18 %, at most 18 %, at least 5.1 %."""
    low, high = interval
    least, most = rate(low), rate(high)
    if least == most:
        return f"about {least}"
    if low <= 0 and high < 1:
        return f"at most {most}"
    if high >= 1 and low > 0:
        return f"at least {least}"
    return f"between {least} and {most}"


def size(num_bytes: int) -> str:
    """Write how large a file is: 12.3 MB."""
    for unit, scale in _SIZES:
        if num_bytes >= scale:
            value = num_bytes / scale
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return plural(num_bytes, "byte")


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Write a count with its noun: 1 class, 3 classes."""
    return f"{number(count)} {noun if count == 1 else many or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Write roughly how long something takes: about 5 minutes."""
    for noun, unit in _UNITS:
        if seconds >= unit:
            return f"about {plural(round(seconds / unit), noun)}"
    return "less than a minute"


def ago(moment: datetime) -> str:
    """Write how long ago something was: 5 minutes ago."""
    age = utc_now() - moment
    if age > timedelta(days=30):
        return f"on {moment:%d %B %Y}".replace("on 0", "on ")
    for noun, unit in _UNITS:
        if age.total_seconds() >= unit:
            return f"{plural(int(age.total_seconds() // unit), noun)} ago"
    return "just now"


def utc(moment: datetime) -> str:
    """Write the exact time: 24 November 2026, 22:30 UTC."""
    return f"{moment:%d %B %Y, %H:%M} UTC".removeprefix("0")


_STAGES = {
    "queued": "Starts in a moment",
    "ingest": "Reading the images",
    "store": "Storing what was read",
    "score": "Judging the labels",
    "features": "Looking at the images",
    "train": "Training",
    "publish": "Storing the results",
    "export": "Writing the files",
    "done": "Done",
}


def stage_words(stage: str) -> str:
    """Say what a job is doing; a stage without words of its own is shown as it is called."""
    return _STAGES.get(stage) or _as_called(stage)


_EXCLUDED = {
    "off_topic": "Excluded: off-topic",
    "duplicate": "Excluded: duplicate",
    "unreadable": "Excluded: unreadable",
}


def decision_words(decision: str | None, label: str | None, reason: str | None) -> str:
    """Say what a reviewer decided: Relabelled to dog."""
    match decision:
        case None:
            return "Not decided"
        case "keep":
            return "Kept"
        case "relabel":
            return f"Relabelled to {label}"
        case "exclude":
            return _EXCLUDED.get(reason or "", "Excluded")
        case _:
            return decision.capitalize()


_SIGNALS = {
    "prediction": (
        "Given label by the model",
        "How probable the model called the given label, over the whole training.",
    ),
    "posterior": (
        "Wrong by the losses",
        "How probable a wrong label is by its loss alone, by the paper's mixture of two groups.",
    ),
    "mean_loss": (
        "Mean loss",
        "How badly the model predicted the given label over the whole training.",
    ),
    "disagreement": (
        "Disagreement",
        "In which share of the epochs the model preferred another class.",
    ),
    "margin": (
        "Margin",
        "By how much the given label led in training. Below 0 another class led.",
    ),
    "neighbour_agreement": (
        "Neighbours agree",
        "Which share of the most similar images has the given label.",
    ),
    "off_topic": (
        "Off-topic",
        "How evenly the prediction spreads over all classes: 1 looks like none of them.",
    ),
    "ambiguous": (
        "Ambiguous",
        "How unsure the class stays even when the given label is known, 0 to 1.",
    ),
    "hard": (
        "Hard",
        "In which share of the epochs a label that is probably right was not predicted.",
    ),
    "duplicate": (
        "Near another",
        "How much nearer the most similar image is than the next ones, 0 to 1.",
    ),
    "spread": (
        "Not decided by predictions",
        "How far the hypotheses of the audit differ on this label: 0 not at all, 0.5 most.",
    ),
    "p_unpinned": (
        "Likely wrong, by itself",
        "What the training thought of the label, were it not verified by a person.",
    ),
    "probability_margin": (
        "Margin",
        "By how much the given label leads in your scores. Below 0 another class leads.",
    ),
}


def signal_words(name: str) -> tuple[str, str]:
    """Return a signal's name and a hint; one without words of its own is shown as it is called."""
    return _SIGNALS.get(name) or (_as_called(name), "")


_VERDICTS = {
    "conflict": "The same picture has another label too: at most one of them is right",
    "not_judged": "There is not enough to judge this label",
    "off_topic": "This image looks like none of the classes",
    "mislabeled": "This label is worth a look: it may be wrong",
    "duplicate": "This picture is there more than once",
    "ambiguous": "This image may as well be of another class",
    "hard": "This label is not flagged, but it was hard to learn",
    "clean": "This label is not flagged",
    "verified": "A person has verified this label",
}


def verdict_words(verdict: str) -> str:
    """Say what an audit makes of a sample; an unknown verdict is shown as it is called."""
    return _VERDICTS.get(verdict) or _as_called(verdict)


_KINDS = {
    "conflict": "Certain conflict",
    "mislabeled": "Worth a look",
    "off_topic": "Off-topic",
    "duplicate": "Shown more than once",
    "ambiguous": "Ambiguous",
    "hard": "Hard to learn",
    "clean": "Not flagged",
    "not_judged": "Not judged",
    "verified": "Verified by a person",
}


def kind_words(verdict: str) -> str:
    """Say in a word or two what kind of sample it is."""
    return _KINDS.get(verdict) or _as_called(verdict)


_KAPPA = (
    (0.8, "People understand the classes alike."),
    (0.6, "That is good; what they differ on shows which classes need a clearer description."),
    (0.4, "That is fair: describe the classes that they mix up more clearly."),
    (0.0, "That is poor: the classes need a clearer description before decisions can be trusted."),
)


def kappa_words(kappa: float | None) -> str:
    """Say what Cohen's kappa means, in a sentence."""
    if kappa is None:
        return "They always said the same one thing, so nothing tells that from chance."
    if kappa <= 0:
        return (
            "That is no more than chance would give (Cohen's kappa of 0 or below): the classes "
            "need a clearer description before decisions can be trusted."
        )
    meaning = next(words for least, words in _KAPPA if kappa >= least)
    return f"Beyond chance they agree to {kappa:.2f} of 1 (Cohen's kappa). {meaning}"


FILTERS = {
    "kind_words": kind_words,
    "kappa_words": kappa_words,
    "verdict_words": verdict_words,
    "decision_words": decision_words,
    "signal_words": signal_words,
    "stage_words": stage_words,
    "number": number,
    "percent": percent,
    "rate": rate,
    "between": between,
    "size": size,
    "plural": plural,
    "duration": duration,
    "ago": ago,
    "utc": utc,
}


def _as_called(name: str) -> str:
    """Show what has no words of its own."""
    return name.replace("_", " ").capitalize()


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
EXPORT_FORMATS = {choice: _words(choice, *_TEXTS[choice]) for choice in ExportFormat}
"""Every format has words: a new one without any fails at the start, not on the page."""
