"""Which columns hold the images and their labels, as the user says or as can be told."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.worker.stages.ingest.formats import (
    arrays_of,
    class_folders,
    csv_table,
    flat_files,
    images,
    json_lines,
    parquet_of,
    pixels,
    rows,
)
from tests.worker.stages.ingest.making import Result, make_zip, png, run
from worker.files.errors import FailureCode, UploadError
from worker.stages.ingest.columns import Columns

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NUM = len(images())
ALTERNATING = [0, 1] * (NUM // 2)
HALVES = [0] * (NUM // 2) + [1] * (NUM // 2)


def pictures(seed: int = 0) -> pa.Array:
    of = [{"bytes": png(seed + n), "path": f"{n}.png"} for n in range(NUM)]
    return pa.array(of, _IMAGE)


def parquet(columns: Mapping[str, Any], class_names: Mapping[str, Sequence[str]]) -> bytes:
    """A table as `datasets` writes it, some of its columns with names of classes."""
    features = {
        name: {"_type": "ClassLabel", "names": list(names)} for name, names in class_names.items()
    }
    told = json.dumps({"info": {"features": features}})
    return parquet_of(pa.table(dict(columns)).replace_schema_metadata({"huggingface": told}))


def cifar() -> bytes:
    return parquet(
        {"img": pictures(), "fine_label": ALTERNATING, "coarse_label": HALVES},
        {"fine_label": ["apple", "bear"], "coarse_label": ["fruit", "mammal"]},
    )


def styles() -> bytes:
    return parquet(
        {"image": pictures(), "style": HALVES, "label": [["cat", "dog"][n] for n in ALTERNATING]},
        {"style": ["photo", "sketch"]},
    )


def labels_of(result: Result) -> list[str]:
    names = result.summary["classes"]
    return [names[row["label"]] for row in result.samples]


class TestParquet:
    def test_a_column_called_label_wins(self, archive: Path) -> None:
        archive.write_bytes(styles())
        result = run(archive)
        assert labels_of(result) == ["cat", "dog"] * (NUM // 2)
        assert result.summary["warnings"] == []

    @pytest.mark.parametrize(
        ("table", "label", "classes"),
        [(cifar, "coarse_label", ["fruit", "mammal"]), (styles, "style", ["photo", "sketch"])],
    )
    def test_a_column_that_is_named_is_used(
        self, archive: Path, table: Any, label: str, classes: list[str]
    ) -> None:
        archive.write_bytes(table())
        result = run(archive, columns=Columns(label=label))
        assert labels_of(result) == [classes[n] for n in HALVES]

    def test_of_several_columns_of_labels_the_one_that_was_taken_is_told(
        self, archive: Path
    ) -> None:
        archive.write_bytes(cifar())
        result = run(archive)
        assert labels_of(result) == ["apple", "bear"] * (NUM // 2)
        (warning,) = result.summary["warnings"]
        assert "'fine_label'" in warning
        assert "'coarse_label'" in warning

    def test_a_column_called_image_has_the_pictures_wherever_it_stands(self, archive: Path) -> None:
        archive.write_bytes(
            parquet({"mask": pictures(100), "image": pictures(), "label": HALVES}, {})
        )
        assert hashes(run(archive)) == [hash_of(n) for n in range(NUM)]

    def test_of_several_columns_of_pictures_the_one_that_was_taken_is_told(
        self, archive: Path
    ) -> None:
        archive.write_bytes(
            parquet({"scan": pictures(100), "mask": pictures(), "label": HALVES}, {})
        )
        result = run(archive)
        assert hashes(result) == [hash_of(100 + n) for n in range(NUM)]
        (warning,) = result.summary["warnings"]
        assert "'scan'" in warning
        assert "'mask'" in warning
        named = run(archive, columns=Columns(path="mask"))
        assert hashes(named) == [hash_of(n) for n in range(NUM)]
        assert named.summary["warnings"] == []

    def test_names_of_files_and_splits_may_have_columns_of_their_own(self, archive: Path) -> None:
        of = [f"{n}-of-mine.png" for n in range(NUM)]
        parts = ["train"] * (NUM - 2) + ["test"] * 2
        archive.write_bytes(
            parquet({"image": pictures(), "name": of, "label": ALTERNATING, "teil": parts}, {})
        )
        result = run(archive, columns=Columns(path="name", split="teil"))
        assert [row["path"].rpartition("/")[2] for row in result.samples] == of
        assert result.summary["splits"] == {"train": NUM - 2, "test": 2}

    @pytest.mark.parametrize("wanted", [{"label": "lable"}, {"path": "pic"}, {"split": "teil"}])
    @pytest.mark.parametrize("name", ["upload", "data/train-00000-of-00001.parquet"])
    def test_a_column_that_is_misspelt_is_told_with_those_that_there_are(
        self, archive: Path, wanted: dict[str, Any], name: str
    ) -> None:
        archive.write_bytes(styles())
        if name != "upload":
            make_zip(archive, {name: styles()})
        told = fault(archive, Columns(**wanted))
        for part in (*wanted.values(), f"'{name}'", "'image', 'style', 'label'"):
            assert part in told

    def test_without_bytes_is_a_table_of_the_files_beside_it(self, archive: Path) -> None:
        """As `datasets` says it, the label -1 is none."""
        of = [{"bytes": None, "path": f"images/{i.file}"} for i in images()]
        labels = [["cat", "dog"].index(i.label) for i in images()]
        table = parquet(
            {"image": pa.array(of, _IMAGE), "label": [*labels[:-1], -1]}, {"label": ["cat", "dog"]}
        )
        result = run(make_zip(archive, {**flat_files(), "train.parquet": table}))
        assert result.codes == {f"images/{images()[-1].file}": "no_label"}
        found = dict(zip(result.paths, labels_of(result), strict=True))
        assert found == {f"images/{i.file}": i.label for i in images()[:-1]}

    def test_by_itself_without_bytes_says_where_the_files_belong(self, archive: Path) -> None:
        of = [{"bytes": None, "path": f"images/{n}.png"} for n in range(NUM)]
        archive.write_bytes(parquet({"image": pa.array(of, _IMAGE), "label": HALVES}, {}))
        with pytest.raises(UploadError, match="not_an_image"):
            run(archive)
        rejected = (archive.with_name("upload-out") / "rejected.jsonl").read_text()
        assert "beside the files" in rejected

    def test_says_that_annotators_are_not_read_from_it(self, archive: Path) -> None:
        archive.write_bytes(styles())
        assert "annotator" in fault(archive, Columns(labels=("style", "label")))

    def test_is_called_what_the_user_calls_it(self, archive: Path) -> None:
        archive.write_bytes(parquet({"image": pictures(), "klasse": HALVES}, {}))
        with pytest.raises(UploadError, match=r"'Rijks museum\.parquet'") as caught:
            run(archive, name="Rijks museum.parquet")
        assert caught.value.code is FailureCode.INVALID_TABLE
        archive.write_bytes(
            parquet({"image": pictures(), "label": [9, *HALVES[1:]]}, {"label": ["cat", "dog"]})
        )
        assert run(archive, name="test.parquet").codes == {"test.parquet#0": "invalid_label"}


def hash_of(number: int) -> str:
    return hashlib.sha256(png(number)).hexdigest()


def hashes(result: Result) -> list[str]:
    return [row["sha256"] for row in result.samples]


def fault(archive: Path, columns: Columns) -> str:
    with pytest.raises(UploadError) as caught:
        run(archive, columns=columns)
    assert caught.value.code is FailureCode.UNKNOWN_COLUMN
    assert caught.value.detail.endswith(".")
    return caught.value.detail


class TestMisspelt:
    """A column that the upload does not have is told: to go on without it would be another job."""

    @pytest.mark.parametrize(
        "wanted",
        [
            {"label": "klass"},
            {"path": "pfad"},
            {"split": "teil"},
            {"annotator": "wer"},
            {"labels": ("ann", "bob")},
        ],
    )
    @pytest.mark.parametrize(
        ("name", "write"), [("labels.csv", csv_table), ("a/labels.jsonl", json_lines)]
    )
    def test_in_a_table(self, archive: Path, wanted: Any, name: str, write: Any) -> None:
        make_zip(archive, {**flat_files(), name: write(rows())})
        told = fault(archive, Columns(**wanted))
        for part in (f"'{name}'", "'path', 'label', 'split'"):
            assert part in told
        missing = next(iter(wanted.values()))
        assert f"'{missing if isinstance(missing, str) else missing[0]}'" in told

    def test_beside_class_folders_without_a_table(self, archive: Path) -> None:
        make_zip(archive, class_folders())
        assert "no table" in fault(archive, Columns(label="klass"))

    def test_for_arrays(self, archive: Path) -> None:
        named = {"images": pixels(images()), "labels": pa.array(HALVES).to_numpy()}
        make_zip(archive, arrays_of(named))
        assert "no table" in fault(archive, Columns(label="klass"))

    def test_is_not_what_one_of_two_tables_has(self, archive: Path) -> None:
        table = [{"file_name": row["path"], "klass": row["label"]} for row in rows()]
        files = {**flat_files(), "a.csv": csv_table(table[:6]), "b.csv": csv_table(rows()[6:])}
        make_zip(archive, files)
        assert len(run(archive, columns=Columns(label="klass")).samples) == 6

    @pytest.mark.parametrize("name", ["labels.jsonl", "labels.json"])
    def test_is_not_what_only_some_rows_have(self, archive: Path, name: str) -> None:
        table = [dict(row) for row in rows()]
        for row in table[:3]:
            row["teil"] = row.pop("split")
        del table[0]["teil"]
        content = json_lines(table) if name.endswith("l") else json.dumps(table).encode()
        make_zip(archive, {**flat_files(), name: content})
        assert len(run(archive, columns=Columns(split="teil")).samples) == NUM

    def test_is_told_from_a_second_column_that_is_not_known(self, archive: Path) -> None:
        table = [{"datei": row["path"], "klass": row["label"]} for row in rows()]
        make_zip(archive, {**flat_files(), "list.csv": csv_table(table)})
        told = fault(archive, Columns(label="klass"))
        assert "'datei', 'klass'" in told
        assert "paths" in told


class TestLabelStudio:
    """An export may ask several things of each image; a column is then one of the questions."""

    @pytest.fixture
    def upload(self, archive: Path) -> Path:
        tasks = [
            {
                "data": {"image": f"/data/upload/7/{number:08x}-{i.file}"},
                "annotations": [
                    {
                        "completed_by": 1,
                        "result": [
                            answer("quality", ["sharp", "blurry"][number % 2]),
                            answer("animal", i.label),
                        ],
                    }
                ],
            }
            for number, i in enumerate(images())
        ]
        return make_zip(archive, {**flat_files(), "export.json": json.dumps(tasks).encode()})

    def test_a_question_that_is_named_is_used(self, upload: Path) -> None:
        result = run(upload, columns=Columns(label="animal"))
        assert dict(zip(result.paths, labels_of(result), strict=True)) == {
            f"images/{i.file}": i.label for i in images()
        }
        assert len(result.summary["warnings"]) == 1

    def test_of_several_questions_the_one_that_was_taken_is_told(self, upload: Path) -> None:
        result = run(upload)
        assert result.summary["classes"] == ["blurry", "sharp"]
        (warning,) = (text for text in result.summary["warnings"] if "'quality'" in text)
        assert "'animal'" in warning

    @pytest.mark.parametrize(("called", "is_sure"), [("label", True), ("class", False)])
    def test_a_question_called_as_labels_are_wins(
        self, upload: Path, called: str, *, is_sure: bool
    ) -> None:
        with zipfile.ZipFile(upload) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        files["export.json"] = files["export.json"].replace(b"animal", called.encode())
        result = run(make_zip(upload, files))
        assert result.summary["classes"] == ["cat", "dog"]
        assert is_sure is not any("'quality'" in text for text in result.summary["warnings"])

    def test_a_question_that_is_misspelt_is_told_with_those_that_there_are(
        self, upload: Path
    ) -> None:
        told = fault(upload, Columns(label="animals"))
        assert "'quality', 'animal'" in told


def answer(question: str, choice: str) -> dict[str, Any]:
    return {
        "type": "choices", "from_name": question, "to_name": "image",
        "value": {"choices": [choice]},
    }  # fmt: skip
