"""Several people's labels for one image: all are kept, and most of them decide."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.worker.stages.ingest.making import Result, make_zip, png, run
from worker.stages.ingest.agreement import AgreementMeter, settle
from worker.stages.ingest.columns import Columns

SAID = {
    "1.png": {"ann": "cat", "bob": "cat", "eve": "dog"},
    "2.png": {"ann": "cat", "bob": "cat"},
    "3.png": {"ann": "dog", "bob": "dog", "eve": "dog"},
    "4.png": {"ann": "dog", "eve": "cat"},
    "5.png": {"eve": "dog"},
    "6.png": {"ann": "bird", "bob": "cat", "eve": "cat"},
}
FILES = {name: png(number) for number, name in enumerate(SAID)}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    return text.getvalue().encode()


def by_row() -> dict[str, bytes]:
    rows = [(file, who, what) for file, said in SAID.items() for who, what in said.items()]
    return {"crowd.csv": table(("path", "annotator", "label"), rows)}


def by_column() -> dict[str, bytes]:
    rows = [[f, *(said.get(n, "") for n in ("ann", "bob", "eve"))] for f, said in SAID.items()]
    return {"crowd.csv": table(("path", "label_1", "label_2", "label_3"), rows)}


def json_lines() -> dict[str, bytes]:
    lines = [json.dumps({"file_name": file, "label": said}) for file, said in SAID.items()]
    return {"metadata.jsonl": "\n".join(lines).encode()}


def label_studio() -> dict[str, bytes]:
    def answer(who: str, what: str) -> dict[str, Any]:
        result = [{"type": "choices", "value": {"choices": [what]}}]
        return {"completed_by": {"email": who}, "result": result}

    tasks = [
        {
            "data": {"image": f"/data/upload/1/0123abcd-{file}"},
            "annotations": [answer(who, what) for who, what in said.items()],
        }
        for file, said in SAID.items()
    ]
    return {"tasks.json": json.dumps(tasks).encode()}


MAKERS = {f.__name__: f for f in (by_row, by_column, json_lines, label_studio)}


def given(result: Result) -> dict[str, str]:
    names = result.summary["classes"]
    return {row["path"]: names[row["label"]] for row in result.samples}


def said(result: Result) -> dict[str, dict[str, str]]:
    return {row["path"]: row["annotations"] for row in result.samples}


class TestFormats:
    @pytest.mark.parametrize("kind", MAKERS)
    def test_all_say_the_same(self, archive: Path, kind: str) -> None:
        result = run(make_zip(archive, FILES | MAKERS[kind]()))
        labels = given(result)
        tied = labels.pop("4.png")
        assert tied in {"cat", "dog"}
        assert labels == {
            "1.png": "cat", "2.png": "cat", "3.png": "dog", "5.png": "dog", "6.png": "cat",
        }  # fmt: skip
        if kind != "by_column":  # whose columns are the names
            assert said(result) == SAID
        rows = {row["path"]: row for row in result.samples}
        agreement = {path: row["agreement"] for path, row in rows.items()}
        assert agreement == pytest.approx(
            {"1.png": 2 / 3, "2.png": 1, "3.png": 1, "4.png": 1 / 2, "5.png": None, "6.png": 2 / 3}
        )
        assert [path for path, row in rows.items() if row["tied"]] == ["4.png"]
        assert result.summary["classes"] == ["cat", "dog"]  # nobody's given label is bird
        assert set(result.codes) <= {"crowd.csv", "metadata.jsonl", "tasks.json"}

    @pytest.mark.parametrize("kind", MAKERS)
    def test_report_how_far_they_agree(self, archive: Path, kind: str) -> None:
        report = run(make_zip(archive, FILES | MAKERS[kind]())).summary["agreement"]
        assert (report["num_annotators"], report["num_compared"], report["num_tied"]) == (3, 5, 1)
        assert report["mean_agreement"] == pytest.approx((2 / 3 + 1 + 1 + 1 / 2 + 2 / 3) / 5)
        listed = {row["num_labels"]: row["agreement"] for row in report["annotators"]}
        # bob: with ann 1 of 2 on 1.png, all on 2.png and 3.png, eve but not ann on 6.png
        assert listed[4] == pytest.approx((1 + 1 + 2 + 1) / 7)

    def test_columns_can_be_named(self, archive: Path) -> None:
        rows = [[file, s.get("ann", ""), s.get("bob", "")] for file, s in SAID.items()]
        files = FILES | {"x.csv": table(("path", "first", "second"), rows)}
        result = run(make_zip(archive, files), columns=Columns(labels=("first", "second")))
        assert said(result)["2.png"] == {"first": "cat", "second": "cat"}
        assert result.codes["5.png"] == "no_label"

        swapped = [[what, file, who] for file, s in SAID.items() for who, what in s.items()]
        files = FILES | {"x.csv": table(("said", "path", "who"), swapped)}
        named = Columns(label="said", annotator="who")
        assert said(run(make_zip(archive, files), columns=named)) == SAID

    def test_a_table_without_annotators_says_nothing_of_them(self, archive: Path) -> None:
        rows = [[file, "cat" if n < 3 else "dog"] for n, file in enumerate(SAID)]
        result = run(make_zip(archive, FILES | {"x.csv": table(("path", "label"), rows)}))
        assert result.summary["agreement"] is None
        assert "annotations" not in result.samples[0]


class TestFaults:
    @pytest.mark.parametrize(
        ("row", "code"),
        [
            (("1.png", "ann", "dog"), "duplicate_row"),
            (("1.png", "kim", ""), "no_label"),
            (("1.png", "kim", "\x1b[31m"), "invalid_label"),
            (("1.png", "", "dog"), "invalid_annotator"),
            (("1.png", "\u202e", "dog"), "invalid_annotator"),
            (("1.png", "k" * 101, "dog"), "invalid_annotator"),
        ],
    )
    def test_a_bad_row_costs_only_itself(
        self, archive: Path, row: tuple[str, ...], code: str
    ) -> None:
        rows = [(file, who, what) for file, s in SAID.items() for who, what in s.items()]
        crowd = table(("path", "annotator", "label"), [*rows, row])
        result = run(make_zip(archive, FILES | {"crowd.csv": crowd}))
        assert result.codes == {"1.png": code}
        assert said(result) == SAID

    def test_another_split_is_no_vote(self, archive: Path) -> None:
        rows = [(f, who, what, "train") for f, s in SAID.items() for who, what in s.items()]
        crowd = table(
            ("path", "annotator", "label", "split"), [*rows, ("1.png", "x", "dog", "test")]
        )
        result = run(make_zip(archive, FILES | {"crowd.csv": crowd}))
        assert result.codes == {"1.png": "duplicate_row"}
        assert result.summary["splits"]["test"] == 0


class TestTies:
    def test_are_settled_alike_in_any_order(self) -> None:
        votes = {"a": "x", "b": "y", "c": "z"}
        turned = dict(reversed(votes.items()))
        assert settle(votes, "p")[0] == settle(turned, "p")[0]

    def test_favour_no_class(self) -> None:
        drawn = [settle({"a": "cat", "b": "dog"}, f"{n}.png")[0] for n in range(1000)]
        assert 440 < drawn.count("cat") < 560  # binomial, four standard deviations


def alpha_of(table: str) -> float | None:
    """Compute it from one line per observer, `.` where a value is missing."""
    meter = AgreementMeter()
    for unit in zip(*(line.split() for line in table.strip().splitlines()), strict=True):
        votes = {str(who): value for who, value in enumerate(unit) if value != "."}
        if votes:
            meter.add(settle(votes, "")[1])
    return meter.alpha()


class TestKrippendorffsAlpha:
    def test_is_that_of_his_own_example(self) -> None:
        # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", part C.
        observers = """
            1 2 3 3 2 1 4 1 2 . . .
            1 2 3 3 2 2 4 1 2 5 . 3
            . 3 3 3 2 3 4 2 2 5 1 .
            1 2 3 3 2 4 4 1 2 5 1 .
        """
        assert alpha_of(observers) == pytest.approx(0.743, abs=0.0005)

    def test_with_many_missing_values(self) -> None:
        # Three coders of 15 units; nominal alpha is published as .691.
        coders = """
            . . . . . 3 4 1 2 1 1 3 3 . 3
            1 . 2 1 3 3 4 3 . . . . . . .
            . . 2 1 3 4 4 . 2 1 1 3 3 . 4
        """
        assert alpha_of(coders) == pytest.approx(0.691, abs=0.0005)

    @pytest.mark.parametrize("observers", ["1 2 1", "1 1\n1 1"])
    def test_is_not_defined_without_pairs_or_difference(self, observers: str) -> None:
        assert alpha_of(observers) is None
