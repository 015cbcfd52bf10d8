"""Every format ends in the same samples, and says what it could not take."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from app.core.storage import BlobStore
from tests.worker.stages.ingest.formats import (
    CLASSES,
    FORMATS,
    arrays_of,
    class_folders,
    csv_table,
    flat_files,
    hugging_face,
    images,
    json_lines,
    label_studio,
    medmnist,
    parquet_of,
    pixels,
    rows,
)
from tests.worker.stages.ingest.making import Result, make_zip, png, run
from worker.files.errors import FailureCode, UploadError
from worker.stages.ingest.columns import Columns


def samples(result: Result) -> set[tuple[str, str, str, str]]:
    """What a sample is, whatever folder it lay in."""
    names = result.summary["classes"]
    return {
        (row["split"], names[row["label"]], row["path"].rpartition("/")[2], row["sha256"])
        for row in result.samples
    }


@pytest.fixture
def expected() -> set[tuple[str, str, str, str]]:
    return {(i.split, i.label, i.file, hashlib.sha256(i.data).hexdigest()) for i in images()}


class TestFormats:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_give_the_same_samples(self, archive: Path, kind: str, expected: Any) -> None:
        result = run(FORMATS[kind](archive))
        assert samples(result) == expected
        assert result.summary["splits"] == {"train": 6, "test": 6}
        assert set(result.codes.values()) <= {"no_label"}

    @pytest.mark.parametrize("kind", ["tar.zst", "hugging face shards", "parquet"])
    def test_that_know_folders_and_classes_have_the_same_content_hash(
        self, tmp_path: Path, kind: str
    ) -> None:
        plain = run(make_zip(tmp_path / "plain", class_folders()))
        other = run(FORMATS[kind](tmp_path / "other"))
        assert other.summary["content_hash"] == plain.summary["content_hash"]

    def test_label_studio_counts_what_most_people_chose(self, archive: Path) -> None:
        result = run(make_zip(archive, {**flat_files(), "project-7.json": label_studio()}))
        names = result.summary["classes"]
        found = {row["path"]: names[row["label"]] for row in result.samples}
        assert found == {f"images/{i.file}": i.label for i in images()}
        assert result.rejected == []

    @pytest.mark.parametrize("named", ["20200101_000.png", "holidays-000.png", "DEADBEEF-000.png"])
    def test_only_digits_of_label_studio_are_left_out_of_a_name(
        self, archive: Path, named: str
    ) -> None:
        """The file `20200101_000.png` is missing: `000.png` is another one."""
        table = [{"image": f"photos/{i.file}", "label": i.label} for i in images()]
        table.append({"image": f"photos/{named}", "label": "dog"})
        files = {**flat_files(), "images/000.png": png(99), "list.json": json.dumps(table).encode()}
        result = run(make_zip(archive, files))
        assert len(result.samples) == 12
        assert result.codes == {f"photos/{named}": "missing_file", "images/000.png": "no_label"}

    def test_an_npz_becomes_png_files(self, archive: Path) -> None:
        result = run(make_zip(archive, medmnist()))
        assert (result.summary["classes"], len(result.samples)) == (["cat", "dog"], 12)
        assert result.summary["splits"] == {"train": 6, "test": 6}
        assert result.paths[0] == "train_images/00000000.png"
        first = next(i for i in images() if i.split == "train")
        sha256 = result.samples[0]["sha256"]
        stored = Image.open(io.BytesIO(BlobStore(result.blob_dir).load(sha256)))
        assert np.array_equal(np.asarray(stored), pixels([first])[0])

    def test_an_npz_may_be_grey_and_have_numbers_for_classes(self, archive: Path) -> None:
        grey = np.arange(4 * 9 * 9, dtype=np.uint8).reshape(4, 9, 9)
        named = {"images": grey, "labels": np.array([7, 7, 3, 3])}
        result = run(make_zip(archive, arrays_of(named)))
        assert result.summary["classes"] == ["3", "7"]

    def test_parquet_without_paths_or_names_counts_rows(self, archive: Path) -> None:
        archive.write_bytes(hugging_face(images(), with_paths=False))
        result = run(archive)
        assert result.paths[:2] == ["train/cat/00000000", "train/cat/00000001"]

    def test_images_that_no_table_names_are_reported(self, archive: Path) -> None:
        table = csv_table(rows()[1:])
        result = run(make_zip(archive, {**flat_files(), "labels.csv": table}))
        assert result.codes == {f"images/{images()[0].file}": "no_label"}
        assert "'labels.csv'" in result.summary["warnings"][0]

    def test_a_table_of_something_else_changes_nothing(self, archive: Path) -> None:
        files = {**class_folders(), "train/sizes.csv": b"width,height\n1,2\n", "a.json": b"{"}
        result = run(make_zip(archive, files))
        assert len(result.samples) == 12
        assert set(result.codes.values()) == {"no_label"}


class TestColumns:
    def test_may_have_names_of_their_own(self, archive: Path) -> None:
        table = csv_table(rows("datei", "klasse", "teil"))
        make_zip(archive, {**flat_files(), "liste.csv": table})
        own = Columns(path="datei", label="klasse", split="teil")
        assert len(run(archive, columns=own).samples) == 12
        with pytest.raises(UploadError):
            run(archive)

    def test_named_by_the_user_must_be_readable(self, archive: Path) -> None:
        make_zip(archive, {**class_folders(), "liste.csv": b"\xff\xfe"})
        with pytest.raises(UploadError, match="UTF-8") as caught:
            run(archive, columns=Columns(label="klasse"))
        assert caught.value.code is FailureCode.INVALID_TABLE


class TestRows:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"path": "images/nowhere.png"}, "missing_file"),
            ({"path": "../../etc/passwd"}, "missing_file"),
            ({"path": 7}, "missing_file"),
            ({"label": ""}, "no_label"),
            ({"label": None}, "no_label"),
            ({"label": ["cat"]}, "invalid_label"),
            ({"label": "cat\u202e"}, "invalid_label"),
            ({"label": "x" * 300}, "invalid_label"),
            ({"split": "holdout"}, "unknown_split"),
            ({"split": 1}, "unknown_split"),
            ({"path": f"images/{images()[1].file}"}, "duplicate_row"),
        ],
    )
    def test_that_cannot_be_used_are_reported_by_number(
        self, archive: Path, change: dict[str, Any], code: str
    ) -> None:
        table = rows()
        place = 11 if code == "duplicate_row" else 2
        table[place] |= change
        result = run(make_zip(archive, {**flat_files(), "labels.jsonl": json_lines(table)}))
        assert len(result.samples) == 11
        told = [row for row in result.rejected if row["code"] == code]
        assert [f"Row {place + 1} of 'labels.jsonl'" in row["detail"] for row in told] == [True]

    def test_of_json_lines_end_where_a_line_does(self, archive: Path) -> None:
        """The separators of Unicode may stand in a text."""
        table = [row | {"note": "a\u2028b\u0085c"} for row in rows()]
        lines = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in table)
        result = run(make_zip(archive, {**flat_files(), "labels.jsonl": lines.encode()}))
        assert len(result.samples) == 12

    def test_of_json_lines_that_are_broken_end_the_ingest(self, archive: Path) -> None:
        lines = json_lines(rows()) + b"\n{"
        make_zip(archive, {**flat_files(), "list.jsonl": lines})
        with pytest.raises(UploadError, match="row 13 is no JSON") as caught:
            run(archive)
        assert caught.value.code is FailureCode.INVALID_TABLE

    def test_labels_are_only_text(self, archive: Path) -> None:
        table = [row | {"label": f"=HYPERLINK({row['label']})"} for row in rows()]
        result = run(make_zip(archive, {**flat_files(), "labels.csv": csv_table(table)}))
        assert result.summary["classes"] == ["=HYPERLINK(cat)", "=HYPERLINK(dog)"]

    @pytest.mark.parametrize("label", [-1, 2, 2**40])
    def test_of_parquet_with_a_label_out_of_range(self, archive: Path, label: int) -> None:
        of = images()
        archive.write_bytes(hugging_face(of))
        whole = pq.read_table(archive)
        labels = whole["label"].to_pylist()
        labels[4] = label
        changed = whole.set_column(1, "label", pa.array(labels, pa.int64()))
        archive.write_bytes(parquet_of(changed.replace_schema_metadata(whole.schema.metadata)))
        result = run(archive)
        assert result.codes == {"upload#4": "invalid_label"}

    def test_of_parquet_without_an_image(self, archive: Path) -> None:
        cells: list[Any] = [{"bytes": i.data, "path": i.file} for i in images()]
        cells[0], cells[1] = None, {"bytes": None, "path": "x.png"}
        cells[2] = {"bytes": b"no image", "path": "y.png"}
        table = pa.table({"image": cells, "label": [i.label for i in images()]})
        archive.write_bytes(parquet_of(table))
        result = run(archive)
        assert set(result.codes.values()) == {"not_an_image"}
        assert len(result.samples) == 9

    def test_of_an_npz_with_a_label_out_of_range(self, archive: Path) -> None:
        named = {
            "images": pixels(images()),
            "labels": np.array([0, 1] * 5 + [2, -1]),
            "class_names": np.array(CLASSES),
        }
        result = run(make_zip(archive, arrays_of(named)))
        assert result.codes == {
            "images/00000010.png": "invalid_label",
            "images/00000011.png": "invalid_label",
        }


@pytest.mark.parametrize("row_group_size", [70, 200])
def test_row_groups_are_read_in_any_order(archive: Path, row_group_size: int) -> None:
    """The probe of the image size jumps ahead, the pass over all rows begins anew."""
    of = [{"bytes": png(n), "path": f"{n:04d}.png"} for n in range(200)]
    table = pa.table({"image": of, "label": [CLASSES[n % 2] for n in range(200)]})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=row_group_size)
    archive.write_bytes(file.getvalue())
    result = run(archive)
    wanted = {f"{n:04d}.png": hashlib.sha256(png(n)).hexdigest() for n in range(200)}
    assert {row["path"].rpartition("/")[2]: row["sha256"] for row in result.samples} == wanted
    assert json.dumps(result.rejected) == "[]"
