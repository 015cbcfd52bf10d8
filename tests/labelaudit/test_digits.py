from itertools import pairwise
from pathlib import Path

from PIL import Image

from labelaudit.demo import Truth, score_flags, write_digits, write_truth


def write(folder: Path, seed: int = 1) -> list[Truth]:
    return write_digits(folder, share_wrong=0.2, seed=seed)


def test_writes_all_digits_with_a_fifth_in_a_wrong_class(tmp_path: Path) -> None:
    truths = write(tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*.png")}
    assert files == {truth.path for truth in truths}
    assert len(truths) == len(files) == 1797
    assert sum(truth.wrong for truth in truths) == 359
    assert all((truth.path.split("/")[0] != truth.true_label) == truth.wrong for truth in truths)
    with Image.open(tmp_path / truths[0].path) as image:
        assert (image.mode, image.size, image.getextrema()) == ("L", (8, 8), (0, 255))


def test_fewer_digits_are_of_all_classes_and_spoilt_alike(tmp_path: Path) -> None:
    truths = write_digits(tmp_path, share_wrong=0.2, seed=1, num_images=100)
    assert len(truths) == len(list(tmp_path.glob("*/*.png"))) == 100
    assert sum(truth.wrong for truth in truths) == 20
    assert {truth.true_label for truth in truths} == set("0123456789")


def test_the_same_seed_writes_the_same_files_and_another_does_not(tmp_path: Path) -> None:
    first, again, other = (
        write(tmp_path / name, seed) for name, seed in [("a", 1), ("b", 1), ("c", 2)]
    )
    assert first == again != other
    path = first[0].path
    assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_file_numbers_do_not_follow_the_classes(tmp_path: Path) -> None:
    # scikit-learn lists 0, 1, 2, … 9 over and over: numbers in that order would tell the truth.
    labels = [truth.true_label for truth in sorted(write(tmp_path), key=lambda t: t.path[2:])]
    steps = sum(int(b) - int(a) == 1 for a, b in pairwise(labels))
    assert steps < 0.15 * len(labels)


def test_the_truth_file_names_path_label_and_wrongness(tmp_path: Path) -> None:
    write_truth([Truth("3/img-0001.png", "8", wrong=True)], tmp_path / "truth.csv")
    text = (tmp_path / "truth.csv").read_text()
    assert text == "path,true_label,wrong\n3/img-0001.png,8,true\n"


def test_flags_are_scored_against_the_truth() -> None:
    score = score_flags([("a", True), ("b", True), ("c", False), ("d", True)], {"a", "b", "c"})
    assert (score.precision, score.recall) == (2 / 3, 2 / 3)
    assert score_flags([], set()).precision == 0.0
