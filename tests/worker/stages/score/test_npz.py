"""Scores from npz files, good and bad."""

import io
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pytest

from tests.worker.stages.score.making import plant, read, refusal, small, write_members, write_npz
from worker.processes.errors import InterruptedWorkError
from worker.stages.score.arrays import InvalidScoresError

MIB = 1024**2
Order = Literal["C", "F"]


def npy(array: Any, *, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=pickled)
    return file.getvalue()


def header_only(shape: str, *, descr: str = "'<f8'", version: int = 1, length: int = 0) -> bytes:
    """Return an array whose header announces what is not there."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    size = struct.pack("<H" if version == 1 else "<I", length or len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + size + text


class TestGoodFiles:
    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8"])
    @pytest.mark.parametrize("order", get_args(Order))
    def test_are_read_in_every_type_and_order(
        self, file: Path, dtype: str, order: Order, *, compressed: bool
    ) -> None:
        planted = plant(50)
        prob = np.asarray(planted.prob, dtype=dtype, order=order)
        label = planted.label.astype(">i2")
        scores = read(
            write_npz(file, {"pred_probs": prob, "given_label": label}, compressed=compressed)
        )
        assert scores.prob.dtype == np.float64
        np.testing.assert_allclose(scores.prob, planted.prob, atol=1e-3)
        np.testing.assert_allclose(scores.prob.sum(axis=1), 1.0, rtol=1e-15)
        assert scores.label.tolist() == planted.label.tolist()
        assert (scores.class_names, scores.feature, scores.ignored) == (["0", "1", "2"], None, [])

    def test_may_have_features_and_names_and_more(self, file: Path) -> None:
        features = np.arange(12.0).reshape(6, 2)
        more: dict[str, Any] = {
            "class_names": np.array(["rot", "grün", "蓝"]),
            "zeta": np.ones(3),
            "alpha": 1,
        }
        scores = read(write_npz(file, small() | {"features": features} | more))
        assert scores.feature is not None
        assert scores.feature.dtype == np.float32
        assert scores.feature.tolist() == features.tolist()
        assert scores.class_names == ["rot", "grün", "蓝"]
        assert scores.ignored == ["alpha", "zeta"]

    def test_are_read_in_blocks_with_news_of_each(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.stages.score.arrays.BLOCK_CELLS", 30)
        planted, shares = plant(25), list[float]()
        for order in get_args(Order):
            prob = np.asarray(planted.prob, order=order)
            write_npz(file, {"pred_probs": prob, "given_label": planted.label})
            scores = read(file, on_rows=shares.append)
            np.testing.assert_allclose(scores.prob, planted.prob)
        assert shares == [0.4, 0.8, 1.0] * 2

    def test_content_that_is_not_ours_is_never_unpacked(self, file: Path) -> None:
        arrays = {name: npy(array) for name, array in small().items()}
        members = [(f"{name}.npy", content) for name, content in arrays.items()]
        evil = [("../evil.npy", b"x"), ("object.npy", npy(np.array([{}]), pickled=True))]
        scores = read(write_members(file, [*members, *evil]))
        assert scores.ignored == ["../evil", "object"]

    def test_reading_ends_on_request(self, file: Path) -> None:
        def stop() -> None:
            raise InterruptedWorkError

        with pytest.raises(InterruptedWorkError):
            read(write_npz(file, small()), safe_point=stop)


class TestBadRows:
    @pytest.mark.parametrize(
        ("row", "detail"),
        [
            ([0.9, 0.02, 0.01], "row 3 of pred_probs sums to 0.93, not to 1"),
            ([0.9, 0.2, 0.1], "row 3 of pred_probs sums to 1.2, not to 1"),
            ([1.2, -0.2, 0.0], "row 3 of pred_probs holds -0.2 (class 1)"),
            ([0.5, 0.5, np.nan], "row 3 of pred_probs holds nan (class 2)"),
            ([np.inf, 0.0, 0.0], "row 3 of pred_probs holds inf (class 0)"),
            ([0.0, 0.0, 0.0], "row 3 of pred_probs sums to 0, not to 1"),
        ],
    )
    def test_of_probabilities_are_named(self, file: Path, row: list[float], detail: str) -> None:
        arrays = small()
        arrays["pred_probs"][3] = row
        arrays["pred_probs"][5] = np.nan
        assert refusal(write_npz(file, arrays)) == detail

    def test_are_counted_from_the_start_of_the_file(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.stages.score.arrays.BLOCK_CELLS", 30)
        arrays = small(40)
        arrays["pred_probs"][27] /= 2
        assert refusal(write_npz(file, arrays)).startswith("row 27 of pred_probs sums to 0.5")

    @pytest.mark.parametrize("label", [3, -1, 2**40])
    def test_of_labels_are_named(self, file: Path, label: int) -> None:
        arrays = small()
        arrays["given_label"][4] = label
        assert refusal(write_npz(file, arrays)) == (
            f"row 4 of given_label is {label}; the 3 columns of pred_probs are the classes 0 to 2"
        )

    def test_of_unsigned_labels_do_not_wrap_around(self, file: Path) -> None:
        labels = np.array([0, 2**64 - 1, 0, 0, 0, 0], dtype=np.uint64)
        detail = refusal(write_npz(file, small() | {"given_label": labels}))
        assert detail.startswith("row 1 of given_label is 18446744073709551615;")

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
    def test_of_features_are_named(self, file: Path, value: float) -> None:
        features = np.zeros((6, 4))
        features[2, 3] = value
        detail = refusal(write_npz(file, small() | {"features": features}))
        assert detail.startswith(f"row 2 of features holds {value} (column 3)")


class TestBadShapes:
    @pytest.mark.parametrize(
        ("changes", "detail"),
        [
            ({"pred_probs": np.ones(6)}, "pred_probs must have two dimensions"),
            ({"pred_probs": np.ones((6, 1))}, "pred_probs has 1 column"),
            ({"pred_probs": np.ones((0, 3))}, "pred_probs has no rows"),
            ({"pred_probs": np.ones((6, 0))}, "pred_probs has no columns"),
            ({"pred_probs": np.ones((6, 3), dtype=int)}, "pred_probs must hold floats"),
            ({"pred_probs": np.ones((6, 3), dtype=np.longdouble)}, "pred_probs must hold floats"),
            ({"pred_probs": np.ones((6, 3), dtype=complex)}, "pred_probs must hold floats"),
            ({"pred_probs": np.ones((6, 3), dtype="f4,f4")}, "pred_probs must hold floats"),
            ({"given_label": np.zeros(5, dtype=int)}, "given_label has the shape (5,)"),
            ({"given_label": np.zeros((6, 1), dtype=int)}, "given_label has the shape (6, 1)"),
            ({"given_label": np.int64(0)}, "given_label has the shape ()"),
            ({"given_label": np.zeros(6)}, "given_label must hold integers, not float64"),
            ({"given_label": np.zeros(6, dtype=bool)}, "given_label must hold integers, not bool"),
            ({"features": np.zeros((5, 2))}, "features has 5 rows, pred_probs has 6"),
            ({"features": np.zeros((6, 0))}, "features has no columns"),
            ({"class_names": np.array(["a", "b"])}, "class_names must be 3 strings"),
            ({"class_names": np.arange(3)}, "class_names must be 3 strings; it is int64"),
            ({"class_names": np.array(["a", "b", "a"])}, "names 0 and 2 of class_names are both"),
            ({"class_names": np.array(["a", "", "c"])}, "name 1 of class_names is no text"),
            ({"class_names": np.array(["a", "b", "c\x1b[2J"])}, "name 2 of class_names is no"),
            ({"class_names": np.array(["a", "b", "c" * 201])}, "name 2 of class_names is no"),
            ({"class_names": np.array(["a", "b", "c" * 2000])}, "class_names is made for names of"),
        ],
    )
    def test_are_told(self, file: Path, changes: dict[str, Any], detail: str) -> None:
        assert refusal(write_npz(file, small() | changes)).startswith(detail)

    @pytest.mark.parametrize("missing", ["pred_probs", "given_label"])
    def test_a_missing_array_is_named(self, file: Path, missing: str) -> None:
        arrays = {name: array for name, array in small().items() if name != missing}
        found = "', '".join(arrays)
        detail = f"there is no array {missing}; found: '{found}'"
        assert refusal(write_npz(file, arrays)) == detail

    def test_text_that_is_no_unicode_is_refused(self, file: Path) -> None:
        for byte_order in "<>":
            points = np.array([65, 66, 0x7FFFFFFF], dtype=f"{byte_order}u4")
            names = points.view(f"{byte_order}U1")
            detail = refusal(write_npz(file, small() | {"class_names": names}))
            assert detail == "class_names is no Unicode text"

    def test_names_may_be_of_either_byte_order(self, file: Path) -> None:
        names = np.array(["a", "b", "ü"], dtype=">U1")
        assert read(write_npz(file, small() | {"class_names": names})).class_names == [
            "a",
            "b",
            "ü",
        ]

    @pytest.mark.parametrize(
        ("limits", "detail"),
        [
            ({"max_rows": 5}, "pred_probs has 6 rows; at most 5 are taken"),
            ({"max_columns": 2}, "pred_probs has 3 columns; at most 2 are taken"),
            ({"max_cells": 17}, "pred_probs has 18 numbers; at most 17 are taken"),
        ],
    )
    def test_too_large_ones_are_refused(
        self, file: Path, limits: dict[str, int], detail: str
    ) -> None:
        assert refusal(write_npz(file, small()), **limits) == detail

    def test_features_that_take_days_to_compare_are_refused(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.stages.score.arrays.MAX_NEIGHBOUR_COST", 71)
        detail = refusal(write_npz(file, small() | {"features": np.zeros((6, 2))}))
        assert detail.startswith("features of 6 rows and 2 columns take too long")


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("content", "detail"),
        [
            (header_only("(6, 10416666667)"), "announces 500,000,000,0"),
            (header_only("(6, 4)") + bytes(8 * 18), "announces"),
            (header_only("(6, 2)") + bytes(8 * 18), "announces"),
            (header_only(f"({2**70}, {2**70})"), "announces"),
            (header_only("(-6, 3)"), "impossible shape"),
            (header_only("(6, 3)", version=3), "no header that can be read"),
            (header_only("(6, 3)", version=2, length=2**32 - 1), "no header that can be read"),
            (header_only("(6, 3)", descr="'|O'"), "Python objects, which are never loaded"),
            (header_only("(6, 3)", descr="[('a', '|O')]"), "Python objects"),
            (header_only("(6, 3)", descr="'" + "x" * 99 + "'"), "no header that can be read"),
            (header_only("(" * 3000), "no header that can be read"),
            (header_only("(6, 3)", descr="__import__('os')"), "no header that can be read"),
            (header_only("(6, 3)") + b" " * 10, "announces"),
            (npy(np.array([[{}] * 3] * 6), pickled=True), "Python objects"),
            (b"", "no header that can be read"),
            (b"no array at all", "no header that can be read"),
        ],
    )
    def test_a_lying_header_is_refused(self, file: Path, content: bytes, detail: str) -> None:
        members = [("given_label.npy", npy(np.zeros(6, dtype=int))), ("pred_probs.npy", content)]
        assert detail in refusal(write_members(file, members))

    def test_an_array_twice_is_refused(self, file: Path) -> None:
        members = [(f"{name}.npy", npy(array)) for name, array in small().items()]
        detail = refusal(write_members(file, [*members, members[0]]))
        assert detail == "the npz has more than one array of a name: 'pred_probs'"

    @pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.999])
    def test_a_truncated_file_is_told(self, file: Path, kept: float) -> None:
        content = write_npz(file, small(100)).read_bytes()
        file.write_bytes(content[: int(kept * len(content))])
        assert refusal(file).startswith("The zip has no end record")

    def test_something_appended_is_refused(self, file: Path) -> None:
        file.write_bytes(write_npz(file, small()).read_bytes() + b"more")
        assert refusal(file) == "Data follow the end of the zip"

    def test_something_put_before_is_refused(self, file: Path) -> None:
        file.write_bytes(b"PK\x03\x04" + write_npz(file, small()).read_bytes())
        assert "The zip's table of contents is not where" in refusal(file)

    @pytest.mark.parametrize("compressed", [False, True])
    def test_every_flipped_byte_is_noticed_or_harmless(
        self, file: Path, *, compressed: bool
    ) -> None:
        content = write_npz(file, small(), compressed=compressed).read_bytes()
        good = read(file).prob
        for place in range(4, len(content), 7):
            file.write_bytes(
                content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
            )
            with suppress(InvalidScoresError):
                np.testing.assert_array_equal(read(file).prob, good)

    def test_an_encrypted_or_oddly_packed_array_is_refused(self, file: Path) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in small().items():
                archive.writestr(f"{name}.npy", npy(array), compress_type=zipfile.ZIP_LZMA)
        assert refusal(file).startswith("pred_probs.npy: Packed by method 14")
        content = bytearray(write_npz(file, small()).read_bytes())
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(signature) + offset] |= 1
        file.write_bytes(content)
        assert refusal(file) == "pred_probs.npy: Protected by a password"

    def test_a_table_of_contents_of_many_names_is_refused(self, file: Path) -> None:
        write_members(file, [(f"{i}.npy", b"") for i in range(1001)])
        assert refusal(file) == "The archive holds more than 1,000 files"

    def test_a_bomb_is_left_at_its_first_wrong_row(self, file: Path) -> None:
        bomb = np.zeros((40 * MIB // 80, 10))  # 40 MiB of zeros in 40 KiB
        label = np.zeros(len(bomb), dtype=np.int8)
        write_npz(file, {"pred_probs": bomb, "given_label": label}, compressed=True)
        limits = {"max_rows": 10**6, "max_cells": 10**8}
        tracemalloc.start()
        detail = refusal(file, **limits)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert detail == "row 0 of pred_probs sums to 0, not to 1"
        assert peak < bomb.nbytes + 45 * MIB  # its place, which is only reserved, and one block
