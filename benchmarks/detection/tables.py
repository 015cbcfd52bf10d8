"""The tables of `benchmarks.detection.sets`."""

from pathlib import Path

from benchmarks.detection.small_sets import STATED
from benchmarks.detection.ways import OURS, WAYS
from benchmarks.harness import Result
from benchmarks.markdown import read, section
from benchmarks.quality import Interval

_WHOLE = 1_280_000
"""Samples of ImageNet's training set."""


def detection_sections(folder: Path) -> dict[str, str]:
    """Return title and text of every table."""
    file = folder / "detection-sets.json"
    found = read(file) if file.exists() else {}
    learned = folder / "learning.json"
    return {
        "From predictions alone": _sets(found.get("sets")),
        "From predictions alone: F1 by group": _groups(found.get("sets")),
        "From predictions alone: what is stated": _stated(found.get("sets")),
        "What decisions teach": _learning(read(learned) if learned.exists() else None),
        "Small sets": _small(found.get("small")),
        "Many classes": _scale(found.get("scale")),
    }


def _sets(found: Result | None) -> str:
    text = """\
`benchmarks.detection.sets --part sets`: F1 of each way's own flags. argmax and confident learning
rank by the prediction of the given label: one ROC-AUC and one calibration error (15 bins) for both.
Of `verified` sets people judged only some samples: all but the noise rate is over these."""
    head = ["set", "group", "judged", "wrong"]
    head += [f"F1: {title}" for title in WAYS.values()]
    head += ["ROC-AUC: theirs", "ours", "ECE: theirs", "ours", "sure", "of these wrong"]
    rows = [
        [
            row["set"],
            row["group"],
            f"{row['num_checked']:,}",
            f"{'≥ ' if row['rate_is_lower_bound'] else ''}{row['wrong']:.4f}",
            *(_figure(row["f1"][way] if row["wrong"] else None) for way in WAYS),
            *(_figure(row["roc_auc"][way]) for way in ("argmax", OURS)),
            *(_figure(row["ece"][way]) for way in ("argmax", OURS)),
            f"{row['sure_seen']:,}",
            _figure(row["sure_wrong"]),
        ]
        for row in _rows(found)
    ]
    return section(text, head, rows, [found] if found else [])


def _learning(found: Result | None) -> str:
    text = """\
`benchmarks.detection.learning`: 30 or 100 decisions by the truth on the samples to look at first,
means over the draws. `width` is that of the interval of the noise rate after, by that before;
`held` is how often it holds the truth. Of verified sets the noise rate is only a lower bound, and
chance draws among the judged samples, which people chose."""
    head = ["set", "decisions", "wrong", "F1 before", "F1", "ECE before", "ECE", "width", "held"]
    rows = [
        [
            row["set"],
            str(row["num"]),
            f"{row['truth']:.4f}",
            _figure(row["before"]["f1"] if row["truth"] else None),
            _figure(row["f1"] if row["truth"] else None),
            _figure(row["before"]["ece"]),
            _figure(row["ece"]),
            f"{row['width_ratio']:.2f}",
            f"{row['held']:.2f}",
        ]
        for row in (found["rows"] if found else [])
    ]
    groups = found["groups"] if found else {}
    rows += [
        [
            "mean of the groups",
            num,
            "",
            "",
            *("" if name is None else _figure(group[name]["mean"]) for name in ("f1", None, "ece")),
            "",
            "",
        ]
        for num, group in groups.items()
    ]
    return section(text, head, rows, [found] if found else [])


def _groups(found: Result | None) -> str:
    text = "The mean counts each group once (goal .745 by ours)."
    by_way = found["group_f1"] if found else {}
    groups = list(by_way[OURS]) if by_way else []
    rows = [
        [WAYS[way], *(_figure(means[group]) for group in groups)] for way, means in by_way.items()
    ]
    return section(text, ["way", *groups], rows, [found] if found else [])


def _stated(found: Result | None) -> str:
    text = """\
What ours states, and the truth. The score is Winkler's at 95 %: width, and 40 times the distance of
a truth outside; less is better, and [0, .5], stated of any data, has .5. Of `verified` sets the
true rate is only known to be no less, and precision and recall are of the judged."""
    head = ["set", "wrong", "rate", "interval", "holds", "width", "score"]
    head += ["flagged", "precision", "stated", "recall", "stated"]
    rows = [
        [
            row["set"],
            f"{'≥ ' if row['rate_is_lower_bound'] else ''}{row['wrong']:.4f}",
            f"{row['noise_rate']:.3f}",
            _interval(row["noise_rate_interval"]),
            "yes" if row["rate_held"] else "no",
            f"{row['rate_width']:.3f}",
            f"{row['winkler']:.3f}",
            f"{row['flagged'][OURS]:.4f}",
            _figure(row["precision"]),
            _interval(row["expected_precision_interval"]),
            _figure(row["recall"]),
            _interval(row["expected_recall_interval"]),
        ]
        for row in _rows(found)
    ]
    return section(text, head, rows, [found] if found else [])


def _small(found: Result | None) -> str:
    text = """\
`benchmarks.detection.sets --part small`: digits of two to ten classes, a tenth of the labels wrong
(half of the draws evenly, half class by class), judged by a logistic regression. Share of draws in
which the stated interval holds the truth (goal .9 each) / its mean width."""
    head = ["predictions", "samples", "draws", "without flags", *STATED]
    head += [f"F1: {title}" for title in WAYS.values()]
    rows = [
        [
            row["prediction"],
            f"{row['size']:,}" if row["size"] else "all",
            row["num_draws"],
            f"{row['flags_none']:.3f}",
            *(
                f"{row['stated'][name]['holds']:.3f} / {row['stated'][name]['width']:.2f}"
                for name in STATED
            ),
            *(_figure(row["f1"][way]) for way in WAYS),
        ]
        for row in _rows(found)
    ]
    return section(text, head, rows, [found] if found else [])


def _scale(found: Result | None) -> str:
    text = """\
`benchmarks.detection.sets --part scale`: simulated predictions, a tenth of the labels wrong, one
core (goals for 20,000 samples: 20 s, 1,000 MiB beside the input)."""
    head = ["samples", "classes", "seconds of processor", "cleanlab's filter", "input, MiB"]
    head += ["beside it, MiB", *(f"F1: {title}" for title in WAYS.values())]
    rows = [
        [
            f"{row['num_samples']:,}",
            f"{row['num_classes']:,}",
            f"{row['processor_seconds'][OURS]:.1f}",
            f"{row['processor_seconds']['confident_learning']:.1f}",
            f"{row['input_mib']:.0f}",
            f"{row['peak_memory_mib']:,.0f}",
            *(_figure(row["f1"][way]) for way in WAYS),
        ]
        for row in _rows(found)
    ]
    parts = [section(text, head, rows, [found] if found else [])]
    if rows:
        parts.append(_extrapolated(_rows(found)))
    return "\n\n".join(parts)


def _extrapolated(rows: list[Result]) -> str:
    """Return what the line through both sizes gives for a large set."""
    small, large = rows
    steps: float = (_WHOLE - large["num_samples"]) / (large["num_samples"] - small["num_samples"])

    def reach(first: float, last: float) -> float:
        return last + steps * (last - first)

    seconds = reach(small["processor_seconds"][OURS], large["processor_seconds"][OURS])
    memory = reach(small["peak_memory_mib"], large["peak_memory_mib"])
    return (
        f"Extrapolated by a straight line to {_WHOLE:,} samples: {seconds / 60:.0f} minutes, "
        f"{memory / 1024:.0f} GiB beside the input."
    )


def _rows(found: Result | None) -> list[Result]:
    return found["rows"] if found else []


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(interval: Interval) -> str:
    low, high = interval
    return f"{low:.3f} to {high:.3f}"
