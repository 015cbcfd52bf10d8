"""The tables of `docs/results/README.md`, from the results beside it.

    python -m benchmarks.tables

What has no result yet is not run, and says so. Every table ends with where its figures come from.
"""

from pathlib import Path

from benchmarks.detection.tables import detection_sections
from benchmarks.harness import RESULTS, Result
from benchmarks.markdown import read, section
from benchmarks.service.tables import service_sections

_HEAD = """\
# Results

Written by `python -m benchmarks.tables` from the files beside it; each of these names the commit it
was measured at. One run each where no number of runs is given. Other machines: other times.

What was found at a commit before a2e75d7 was found by another detector; times stand."""
_SIDES = {
    "ours": "`standard`, one run",
    "folds": "confident learning, our trainer",
    "argmax": "argmax, our trainer",
    "plain": "confident learning, plain loop",
}


def main() -> None:
    """Write the page."""
    (RESULTS / "README.md").write_text(page(RESULTS))


def page(folder: Path) -> str:
    """Return the whole page of a folder of results."""
    sections = {
        "Images a second in an epoch of bootstrapping": _speed(folder),
        "Wrong labels found by both loops": _same_detection(folder),
        "Against confident learning of five folds": _rivals(folder),
        **detection_sections(folder),
        "Growth of time and memory": _scaling(folder),
        "Whole audits": _audits(folder, device="cpu"),
        "Whole audits on CUDA": _audits(folder, device="cuda"),
        "Verdicts": _verdicts(folder),
        **service_sections(folder),
    }
    parts = [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join([_HEAD, *parts]) + "\n"


def _speed(folder: Path) -> str:
    found = _throughput(folder).get("speed", {})
    head = ["network", "runs, images", "published loop", "ours", "ratio (goal 4)", "commit"]
    text = "`benchmarks.training.throughput --part speed`; min / median / max."
    rows = [_speed_row(network, each) for network, each in found.items()]
    return section(text, head, rows, list(found.values()))


def _speed_row(network: str, each: Result) -> list[str]:
    rates, ratio = each["images_per_second"], each["ratio"]
    return [
        network,
        f"{len(ratio['runs'])} of {each['num_images']:,}",
        _spread(rates["published"]),
        _spread(rates["ours"]),
        _spread(ratio, 2),
        each["commit"][:7],
    ]


def _same_detection(folder: Path) -> str:
    each = _throughput(folder).get("detection")
    rows = [_detection_row(side, each) for side in ("published", "ours")] if each else []
    head = ["loop", "images", "epochs", "wrong", "ROC-AUC", "of the last loss", "seconds"]
    text = "`benchmarks.training.throughput --part detection`, the small ResNet on CIFAR-10."
    return section(text, head, rows, [each] if each else [])


def _detection_row(side: str, each: Result) -> list[str]:
    return [
        side,
        f"{each['num_images']:,}",
        f"{each['epochs']}",
        f"{each['actual_noise']:.2f}",
        f"{each[side]['roc_auc']:.3f}",
        f"{each[side]['roc_auc_last_loss']:.3f}",
        f"{each[side]['seconds']:.0f}",
    ]


def _throughput(folder: Path) -> Result:
    file = folder / "throughput.json"
    return read(file) if file.exists() else {}


def _rivals(folder: Path) -> str:
    found = [read(file) for file in sorted((folder / "rivals").glob("*.json"))]
    head = ["set", "side", "seconds", "times ours", "F1", "precision", "recall", "ROC-AUC"]
    head += ["MiB", "found at"]
    text = """\
`benchmarks.training.rivals`: 10,000 images, 10 epochs, the same network for all sides. Goals: 2.5
times ours and, for the plain loop, 6; F1 and ROC-AUC no lower. Of the plain loop one fold was run
and counted five times, for its time only. What `standard` found may be of later code than the
times."""
    rows = [_rival_row(side, each) for each in found for side in _SIDES]
    return section(text, head, rows, found)


def _rival_row(side: str, each: Result) -> list[str]:
    process = "folds" if side == "argmax" else side
    measured = each["sides"][process]
    quality = each["sides"]["folds"]["argmax"] if side == "argmax" else measured.get("quality")
    return [
        each["settings"]["cell"],
        _SIDES[side],
        f"{measured['seconds']:.0f}",
        f"{each['ratios'].get(process, 1.0):.2f}",
        *_quality(quality),
        f"{measured['peak_memory_mib']:.0f}",
        measured.get("quality_origin", each)["commit"][:7],
    ]


def _quality(quality: Result | None) -> list[str]:
    if quality is None:
        return [""] * 4
    return [f"{quality[name]:.3f}" for name in ("f1", "precision", "recall", "roc_auc")]


def _scaling(folder: Path) -> str:
    found = [read(file) for file in (folder / "scaling").glob("*-*.json")]
    found.sort(key=lambda each: (each["settings"]["preset"], each["settings"]["num_images"]))
    rows = [
        [
            each["settings"]["preset"],
            f"{each['num_samples']:,}",
            each["settings"]["epochs"],
            f"{each['wall_seconds']:.0f}",
            f"{1000 * each['wall_seconds'] / each['num_samples']:.1f}",
            f"{each['peak_memory_mib']:.0f}",
        ]
        for each in found
    ]
    head = ["preset", "images", "epochs", "seconds", "ms an image", "MiB"]
    text = "`benchmarks.training.scaling`: whole audits, from the archive to the files."
    growth = [
        f"`{preset}`: time grows as the number of images to the power {each['time_exponent']:.2f}, "
        f"memory by {each['memory_mib_per_1000']:.1f} MiB for 1,000 images."
        for summary in map(read, (folder / "scaling").glob("summary.json"))
        for preset, each in summary.items()
    ]
    return "\n\n".join([section(text, head, rows, found), *growth])


def _audits(folder: Path, *, device: str) -> str:
    found = [read(file) for file in folder.glob("cifar10-*.json")]
    found = [each for each in found if each["device"] == device and "f1" in each]
    found.sort(key=lambda each: (each["preset"], each["num_samples"], each["noise"]))
    rows = [_audit(each) for each in found]
    head = [
        "preset",
        "images",
        "wrong",
        "estimated",
        "flagged",
        "ROC-AUC",
        "F1",
        "precision (stated)",
        "recall (stated)",
        "ECE",
        "seconds",
        "MiB",
        "commit",
    ]
    text = "`benchmarks.training.whole_audits`: CIFAR-10 with planted uniform noise."
    return section(text, head, rows, found)


def _audit(each: Result) -> list[str]:
    is_clean = each["roc_auc"] is None
    low, high = each["estimated_interval"]
    epochs = f", {each['epochs']} epochs" if each["epochs"] else ""
    return [
        f"{each['preset']}{epochs}",
        f"{each['num_samples']:,}",
        f"{each['actual_noise']:.3f}",
        f"{each['estimated_noise']:.3f} ({low:.3f} to {high:.3f})",
        f"{each['flagged']:.4f}",
        "" if is_clean else f"{each['roc_auc']:.4f}",
        "" if is_clean else f"{each['f1']:.4f}",
        "" if is_clean else f"{each['precision']:.3f} ({each['expected_precision']:.3f})",
        "" if is_clean else f"{each['recall']:.3f} ({each['expected_recall']:.3f})",
        f"{each['calibration_error']:.3f}",
        f"{each['wall_seconds']:.0f}",
        f"{each['peak_memory_mib']:.0f}",
        each["commit"][:7],
    ]


def _verdicts(folder: Path) -> str:
    found = [read(file) for file in sorted((folder / "verdicts").glob("seed*.json"))]
    rows = [
        [
            kind,
            each["settings"]["seed"],
            each["num_planted"][kind],
            f"{areas['all']:.3f}",
            f"{areas['without_other_kinds']:.3f}",
        ]
        for each in found
        for kind, areas in each["roc_auc"].items()
    ]
    rows.sort(key=lambda row: (str(row[0]), row[1]))
    head = ["kind", "seed", "planted", "ROC-AUC among all (goal .85)", "without other kinds"]
    return section(
        "`benchmarks.detection.verdicts`: what was planted, by its score.", head, rows, found
    )


def _spread(values: Result, digits: int = 0) -> str:
    return " / ".join(f"{values[name]:.{digits}f}" for name in ("min", "median", "max"))


if __name__ == "__main__":
    main()
