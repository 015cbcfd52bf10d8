"""Scores from Parquet files, good and bad."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.worker.stages.score.making import lists, plant, read, refusal, write_npz, write_parquet
from worker.processes.errors import InterruptedWorkError

NAMES = ["Hund", "Katze", "Äffchen"]
"""In the order in which they are sorted."""


def columns(num_rows: int = 6, **changes: Any) -> dict[str, Any]:
    planted = plant(num_rows)
    good = {"pred_probs": lists(planted.prob), "given_label": planted.label}
    return good | changes


def numbered(num_rows: int = 6) -> dict[str, Any]:
    planted = plant(num_rows)
    return {f"p_{k}": planted.prob[:, k] for k in range(3)} | {"given_label": planted.label}


def with_row(row: list[float | None] | None) -> Any:
    """Return six good rows of lists of which the fourth is replaced."""
    rows: list[Any] = plant(6).prob.tolist()
    rows[3] = row
    return pa.array(rows, pa.list_(pa.float64()))


class TestGoodFiles:
    @pytest.mark.parametrize("value_type", [pa.float16(), pa.float32(), pa.float64()])
    @pytest.mark.parametrize("fixed", [False, True])
    @pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
    def test_may_hold_lists(
        self, file: Path, value_type: Any, compression: str, *, fixed: bool
    ) -> None:
        planted = plant(50)
        prob = lists(planted.prob.astype(value_type.to_pandas_dtype()), value_type, fixed=fixed)
        label = pa.array(planted.label, pa.int8())
        content = {"pred_probs": prob, "given_label": label}
        scores = read(write_parquet(file, content, compression=compression, row_group_size=7))
        np.testing.assert_allclose(scores.prob, planted.prob, atol=1e-3)
        assert scores.label.tolist() == planted.label.tolist()
        assert (scores.class_names, scores.feature, scores.ignored) == (["0", "1", "2"], None, [])

    def test_may_hold_a_column_for_each_class(self, file: Path) -> None:
        content = {"id": list("abcdef"), **numbered(), "p_x": [0] * 6}
        scores = read(write_parquet(file, content))
        np.testing.assert_allclose(scores.prob, plant(6).prob)
        assert scores.ignored == ["id", "p_x"]

    def test_say_the_same_as_an_npz(self, file: Path) -> None:
        planted, features = plant(60), np.random.default_rng(0).normal(size=(60, 5))
        arrays = {"pred_probs": planted.prob, "given_label": planted.label, "features": features}
        packed = read(write_npz(file, arrays))
        content = columns(60, pred_probs=lists(planted.prob, pa.float64()))
        table = read(write_parquet(file, content | {"features": lists(features, pa.float64())}))
        np.testing.assert_array_equal(table.prob, packed.prob)
        np.testing.assert_array_equal(table.label, packed.label)
        assert table.feature is not None
        np.testing.assert_array_equal(table.feature, packed.feature)

    @pytest.mark.parametrize("encode", [False, True])
    def test_may_name_the_classes(self, file: Path, *, encode: bool) -> None:
        planted = plant(30)
        upside_down = planted.label[::-1].tolist()  # so that they do not appear as sorted
        label = pa.array([NAMES[k] for k in upside_down])
        label = label.dictionary_encode() if encode else label.cast(pa.large_string())
        content = {"pred_probs": lists(planted.prob[::-1]), "given_label": label}
        scores = read(write_parquet(file, content))
        assert scores.class_names == NAMES
        assert scores.label.tolist() == upside_down

    def test_may_list_the_names_in_the_order_of_the_columns(self, file: Path) -> None:
        planted, names = plant(30), NAMES[::-1]
        by_name = columns(30, given_label=[names[k] for k in planted.label])
        for content in (by_name, columns(30)):
            scores = read(write_parquet(file, content, names=names))
            assert scores.class_names == names
            assert scores.label.tolist() == planted.label.tolist()

    def test_are_read_in_batches_with_news_of_each(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.stages.score.arrays.BLOCK_CELLS", 30)
        shares = list[float]()
        scores = read(write_parquet(file, columns(25)), on_rows=shares.append)
        np.testing.assert_allclose(scores.prob, plant(25).prob, atol=1e-6)
        assert shares == [0.4, 0.8, 1.0]

    def test_reading_ends_on_request(self, file: Path) -> None:
        def stop() -> None:
            raise InterruptedWorkError

        with pytest.raises(InterruptedWorkError):
            read(write_parquet(file, columns()), safe_point=stop)


class TestBadRows:
    @pytest.mark.parametrize(
        ("row", "detail"),
        [
            ([0.9, 0.02, 0.01], "row 3 of pred_probs sums to 0.93, not to 1"),
            ([0.5, None, 0.5], "row 3 of pred_probs holds nan (class 1)"),
            ([0.5, 0.5], "row 3 of pred_probs has 2 numbers, row 0 has 3"),
            ([], "row 3 of pred_probs has 0 numbers, row 0 has 3"),
            (None, "row 3 of pred_probs is null"),
        ],
    )
    def test_of_lists_are_named(
        self, file: Path, row: list[float | None] | None, detail: str
    ) -> None:
        assert refusal(write_parquet(file, columns(pred_probs=with_row(row)))) == detail

    def test_of_numbered_columns_are_named(self, file: Path) -> None:
        content = numbered()
        content["p_1"] = [None if i == 4 else value for i, value in enumerate(content["p_1"])]
        assert refusal(write_parquet(file, content)) == "row 4 of p_1 is null"

    @pytest.mark.parametrize(
        ("labels", "detail"),
        [
            ([0, 1, 3, 0, 1, 2], "row 2 of given_label is 3; the 3 columns"),
            ([0, 1, None, 0, 1, 2], "row 2 of given_label is null"),
            (["a", "b", None, "a", "b", "c"], "row 2 of given_label is null"),
            (["a", "b", "a", "a", "b", "b"], "given_label holds 2 different names, but pred_probs"),
            (["a", "b", "", "a", "b", "b"], "name 0 of class_names is no text"),
            ([0.0, 1.0, 2.0, 0.0, 1.0, 2.0], "given_label must hold integers or class names"),
            ([b"a"] * 6, "given_label must hold integers or class names, not binary"),
        ],
    )
    def test_of_labels_are_named(self, file: Path, labels: list[Any], detail: str) -> None:
        assert refusal(write_parquet(file, columns(given_label=labels))).startswith(detail)

    def test_counted_from_the_start_of_the_file(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.stages.score.arrays.BLOCK_CELLS", 30)
        prob = plant(40).prob
        prob[27] /= 2
        detail = refusal(write_parquet(file, columns(40, pred_probs=lists(prob))))
        assert detail.startswith("row 27 of pred_probs sums to 0.5")

    def test_labels_of_a_name_that_no_column_has(self, file: Path) -> None:
        content = columns(given_label=["a", "b", "z", "a", "b", "b"])
        detail = refusal(write_parquet(file, content, names=["a", "b", "c"]))
        assert detail == "given_label holds names that are not in class_names: 'z'"

    def test_too_many_names(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("worker.stages.score.labels.MAX_COLUMNS", 4)
        detail = refusal(write_parquet(file, columns(given_label=list("abcdef"))))
        assert detail.startswith("row 4 of given_label holds the 5th different name")


class TestBadColumns:
    @pytest.mark.parametrize(
        ("content", "detail"),
        [
            ({"x": [1]}, "there is no column given_label; found: 'x'"),
            ({"given_label": [1]}, "there is no column pred_probs, nor p_0, p_1 and so on"),
            (
                {"given_label": [1], "p_0": [1.0], "p_2": [0.0]},
                "there is no column p_1, but p_2",
            ),
            ({"given_label": [0], "p_0": [1.0]}, "row 0 has 1 probability"),
            ({"given_label": [0], "p_0": ["x"], "p_1": [1.0]}, "the column p_0 must hold floats"),
            ({"given_label": [0], "pred_probs": [1.0]}, "the column pred_probs must hold lists"),
            ({"given_label": [0], "pred_probs": [["a"]]}, "the column pred_probs must hold lists"),
            ({"given_label": [0], "pred_probs": [[[0.5]]]}, "the column pred_probs must hold"),
            (columns(features=["x"] * 6), "the column features must hold lists of floats"),
            (columns(features=[[1.0]] * 5 + [[np.inf]]), "row 5 of features holds inf (column 0)"),
            (columns(features=[[1.0]] * 5 + [[]]), "row 5 of features has 0 numbers, row 0 has 1"),
            ({name: values[:0] for name, values in columns().items()}, "the file has no rows"),
        ],
    )
    def test_are_told(self, file: Path, content: dict[str, Any], detail: str) -> None:
        assert refusal(write_parquet(file, content)).startswith(detail)

    def test_a_name_twice_is_refused(self, file: Path) -> None:
        table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["p_0", "p_0"])
        pa.parquet.write_table(table, file)
        assert refusal(file) == "more than one column has the name 'p_0'"

    @pytest.mark.parametrize(
        ("names", "detail"),
        [
            ("abc", "the metadata's class_names is no JSON list"),
            (["a", "b"], "class_names has 2 names, but pred_probs has 3 columns"),
            (["a", "b", 3], "name 2 of class_names is no text"),
            (["a", "b", "a"], "names 0 and 2 of class_names are both 'a'"),
        ],
    )
    def test_bad_class_names_are_told(self, file: Path, names: object, detail: str) -> None:
        assert refusal(write_parquet(file, columns(), names=names)).startswith(detail)

    @pytest.mark.parametrize("limits", [{"max_rows": 5}, {"max_columns": 2}, {"max_cells": 17}])
    def test_too_many_are_refused(self, file: Path, limits: dict[str, int]) -> None:
        for content in (columns(), numbered()):
            assert "at most" in refusal(write_parquet(file, content), **limits)


class TestHostileFiles:
    def test_a_footer_that_claims_gigabytes_is_refused(self, file: Path) -> None:
        file.write_bytes(b"PAR1" + bytes(100) + struct.pack("<L4s", 2**31, b"PAR1"))
        assert refusal(file) == "the Parquet file's footer claims 2,147,483,648 bytes"

    @pytest.mark.parametrize("kept", [0.01, 0.3, 0.9, 0.99])
    def test_a_truncated_file_is_told(self, file: Path, kept: float) -> None:
        content = write_parquet(file, columns(100)).read_bytes()
        file.write_bytes(content[: 4 + int(kept * len(content))])
        assert refusal(file).startswith("the Parquet file has no footer")

    def test_labels_that_unpack_to_megabytes_are_refused(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.stages.score.parquet._SLACK_BYTES", 1_000_000)
        content = columns(given_label=["x" * 2_000_000, *"abcde"])
        write_parquet(file, content, compression="zstd", use_dictionary=False)
        assert file.stat().st_size < 10_000
        assert "far more than 6 rows of scores can need" in refusal(file)

    def test_columns_that_are_not_ours_may_be_of_any_size(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.stages.score.parquet._SLACK_BYTES", 1_000_000)
        content = columns(text=["x" * 2_000_000] * 6)
        assert read(write_parquet(file, content, use_dictionary=False)).ignored == ["text"]

    def test_lists_that_are_too_long_are_refused_before_they_are_read(self, file: Path) -> None:
        long = pa.array([np.zeros(200_000, dtype=np.float32)] * 6, pa.list_(pa.float32()))
        detail = refusal(write_parquet(file, columns(pred_probs=long)))
        assert detail == "the columns hold 1,200,006 numbers, which is too many"

    def test_class_names_that_nest_are_refused(self, file: Path) -> None:
        table = pa.table(columns()).replace_schema_metadata({"class_names": "[" * 100_000})
        pa.parquet.write_table(table, file)
        assert refusal(file) == "the metadata's class_names is no JSON"
