from pathlib import Path

import pytest

from tests.worker.stages.ingest.making import below, make_zip, png, run, two_classes
from worker.files.errors import FailureCode, UploadError
from worker.stages.ingest.layout import Layout, Place, recognise_layout


def _places(*paths: str) -> list[tuple[str, str, str] | None]:
    layout = recognise_layout(paths)
    places = [layout.place(path) for path in paths]
    return [
        None if place is None else (place.split, place.class_name, place.file) for place in places
    ]


class TestRecogniseLayout:
    def test_class_folders_alone(self) -> None:
        assert _places("cat/1.png", "dog/x/2.png") == [
            ("train", "cat", "1.png"),
            ("train", "dog", "x/2.png"),
        ]

    def test_wrappers_are_taken_off(self) -> None:
        assert _places("a/b/cat/1.png", "a/b/dog/1.png") == [
            ("train", "cat", "1.png"),
            ("train", "dog", "1.png"),
        ]

    @pytest.mark.parametrize("name", ["test", "Testing", "val", "VALID", "validation"])
    @pytest.mark.parametrize("wrapper", ["", "w/"])
    def test_split_folders(self, wrapper: str, name: str) -> None:
        assert _places(f"{wrapper}Train/cat/1.png", f"{wrapper}{name}/dog/1.png") == [
            ("train", "cat", "1.png"),
            ("test", "dog", "1.png"),
        ]

    def test_a_test_folder_without_a_train_folder_is_no_split(self) -> None:
        assert _places("test/cat/1.png", "val/dog/1.png") == [
            ("train", "test", "cat/1.png"),
            ("train", "val", "dog/1.png"),
        ]

    def test_split_names_beside_other_folders_are_classes_and_that_is_said(self) -> None:
        layout = recognise_layout(["train/a/1.png", "train/b/1.png", "extra/c/1.png"])
        assert layout.place("train/a/1.png") == Place("train", "train", "a/1.png")
        assert "'extra'" in layout.warnings[0]

    def test_a_class_may_be_called_train(self) -> None:
        assert recognise_layout(["train/1.png", "plane/1.png"]) == Layout((), has_splits=False)

    def test_a_single_class_is_not_hidden_as_a_wrapper(self) -> None:
        assert _places("cat/1.png", "cat/2.png") == [
            ("train", "cat", "1.png"),
            ("train", "cat", "2.png"),
        ]

    def test_files_that_are_no_images_do_not_decide(self) -> None:
        paths = ("README.md", "docs/a/b.txt", "data/cat/1.png", "data/dog/1.JPG")
        assert _places(*paths) == [None, None, ("train", "cat", "1.png"), ("train", "dog", "1.JPG")]

    def test_without_any_suffix_all_files_decide(self) -> None:
        assert _places("w/cat/1", "w/dog/1")[0] == ("train", "cat", "1")

    def test_files_outside_class_folders_have_no_place(self) -> None:
        assert _places("w/loose.png", "w/cat/1.png", "w/dog/1.png")[0] is None
        assert _places("train/loose.png", "train/cat/1.png", "test/dog/1.png")[0] is None

    def test_two_spellings_of_one_unicode_name_are_one_class(self) -> None:
        places = _places("caf\u00e9/1.png", "cafe\u0301/2.png", "dog/1.png")
        assert [place and place[1] for place in places] == ["caf\u00e9", "caf\u00e9", "dog"]

    def test_nothing_gives_an_empty_layout(self) -> None:
        assert recognise_layout([]) == Layout((), has_splits=False)


class TestClasses:
    def test_names_are_sorted_and_labels_are_their_index(self, archive: Path) -> None:
        files = {
            f"{name}/{n}.png": png(n + 10 * i)
            for i, name in enumerate(["zebra", "Äpfel", "Zoo", "日本"])
            for n in range(2)
        }
        result = run(make_zip(archive, files))
        assert result.summary["classes"] == ["Zoo", "zebra", "Äpfel", "日本"]
        assert {row["path"]: row["label"] for row in result.samples}["日本/0.png"] == 3

    def test_splits_are_counted(self, archive: Path) -> None:
        files = {**below("train", two_classes()), **below("test", {"cat/9.png": png(9)})}
        result = run(make_zip(archive, files))
        assert result.summary["splits"] == {"train": 4, "test": 1}
        assert [row["split"] for row in result.samples] == ["test", *["train"] * 4]

    def test_rare_unseen_and_empty_classes_are_warnings(self, archive: Path) -> None:
        files = below("train", {**two_classes(), "rare/1.png": png(7), "void/1.png": b""})
        files |= below("test", {"unseen/1.png": png(8)})
        result = run(make_zip(archive, files))
        assert result.summary["classes"] == ["cat", "dog", "rare", "unseen"]
        text = "\n".join(result.summary["warnings"])
        assert "single training image, too few to judge: 'rare'." in text
        assert "without any training image: 'unseen'." in text
        assert "without a usable image, left out: 'void'." in text

    @pytest.mark.parametrize(
        "files",
        [
            {"cat/1.png": png(1), "cat/2.png": png(2)},
            {"cat/1.png": png(1), "cat/2.png": png(2), "dog/1.png": png(3)},
            {"cat/1.png": png(1), "cat/2.png": png(2), "dog/1.png": b"x", "dog/2.png": b"y"},
        ],
    )
    def test_fewer_than_two_usable_classes_end_the_ingest(
        self, archive: Path, files: dict[str, bytes]
    ) -> None:
        with pytest.raises(UploadError) as caught:
            run(make_zip(archive, files))
        assert caught.value.code is FailureCode.TOO_FEW_CLASSES

    def test_a_class_that_only_the_test_split_fills_does_not_count(self, archive: Path) -> None:
        files = {
            **below("train", {"cat/1.png": png(1), "cat/2.png": png(2), "dog/1.png": png(3)}),
            **below("test", {"dog/2.png": png(4), "dog/3.png": png(5)}),
        }
        with pytest.raises(UploadError) as caught:
            run(make_zip(archive, files))
        assert caught.value.code is FailureCode.TOO_FEW_CLASSES


class TestDuplicates:
    def test_equal_images_stay_samples_and_are_reported(self, archive: Path) -> None:
        result = run(make_zip(archive, {**two_classes(), "cat/copy.png": png(1)}))
        assert result.summary["num_samples"] == 5
        assert result.summary["num_duplicates"] == 2
        (group,) = result.summary["duplicates"]
        assert group["paths"] == ["cat/1.png", "cat/copy.png"]
        assert (group["labels"], group["conflicting"]) == (["cat"], False)
        assert result.summary["warnings"] == []

    def test_conflicting_labels_come_first_with_a_warning(self, archive: Path) -> None:
        files = {**two_classes(), "cat/copy.png": png(1), "cat/3.png": png(4)}
        result = run(make_zip(archive, files))
        first, second = result.summary["duplicates"]
        assert (first["labels"], first["conflicting"]) == (["cat", "dog"], True)
        assert not second["conflicting"]
        assert result.summary["warnings"] == ["1 image stands under different labels."]

    def test_test_images_that_are_trained_on_are_a_warning(self, archive: Path) -> None:
        files = {**below("train", two_classes()), **below("test", {"cat/9.png": png(1)})}
        (warning,) = run(make_zip(archive, files)).summary["warnings"]
        assert warning == "1 image stands in both the training and the test split."
