"""What goes in, as the tables show it; read by pandas as users would."""

import json
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import update

from app.core.db import Database
from app.core.ids import parse_sample_id
from app.models import Finding
from tests.support.exports import CLASSES, NUM_TEST, NUM_TRAIN, TRAPS, Reviewed
from tests.worker.stages.export.conftest import Export

NUM_SAMPLES = NUM_TRAIN + NUM_TEST


def read_jsonl(export: Export, **options: Any) -> list[dict[str, Any]]:
    lines = export(format="jsonl", **options).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


class TestLabels:
    def test_with_decisions_are_the_default(self, export: Export, reviewed: Reviewed) -> None:
        rows = {row["sample_id"]: row for row in read_jsonl(export)}
        kept, relabelled, excluded, unsure = reviewed.sample_ids[:4]
        assert set(rows) == set(reviewed.sample_ids) - {excluded}
        assert (rows[kept]["label"], rows[kept]["label_source"]) == ("=cmd()", "decision")
        assert (rows[relabelled]["label"], rows[relabelled]["given_label"]) == ("grün", "cat")
        assert rows[relabelled]["comment"] == "=a formula"
        assert rows[relabelled]["decided_at"].endswith("+00:00")
        assert (rows[unsure]["label"], rows[unsure]["label_source"]) == ("=cmd()", "given")
        others = [rows[sample_id] for sample_id in reviewed.sample_ids[4:]]
        assert all(row["label"] == row["given_label"] for row in others)

    def test_as_given_know_no_decision(self, export: Export) -> None:
        rows = read_jsonl(export, labels="given")
        assert len(rows) == NUM_SAMPLES
        assert all(row["label"] == row["given_label"] for row in rows)
        assert not any(row["excluded"] for row in rows)

    def test_with_suggestions_take_those_from_a_probability_on_where_nobody_decided(
        self, export: Export, reviewed: Reviewed
    ) -> None:
        rows = {
            row["sample_id"]: row for row in read_jsonl(export, labels="suggestions", min_p=0.5)
        }
        suggested = [key for key, row in rows.items() if row["label_source"] == "suggestion"]
        # Samples 0 to 3 are decided on, unsure included; 4 is the last with p of at least 0.5.
        assert suggested == [reviewed.sample_ids[4]]
        row = rows[suggested[0]]
        assert (row["given_label"], row["label"]) == ("cat", "grün")
        assert row["p_mislabeled"] >= 0.5

    def test_suggestions_for_one_picture_with_two_labels_are_not_taken(
        self, database: Database, export: Export, reviewed: Reviewed
    ) -> None:
        with database.unit_of_work() as session:
            number = parse_sample_id(reviewed.sample_ids[4])
            torn = update(Finding).where(Finding.sample_id == number)
            session.execute(torn.values(verdict="conflict"))
        rows = {
            row["sample_id"]: row for row in read_jsonl(export, labels="suggestions", min_p=0.5)
        }
        row = rows[reviewed.sample_ids[4]]
        assert (row["label"], row["label_source"]) == (row["given_label"], "given")
        assert row["verdict"] == "conflict"

    def test_flags_and_sure_labels_are_of_what_was_judged(self, export: Export) -> None:
        rows = read_jsonl(export)
        said = {(row["p_mislabeled"], row["flagged"], row["sure"]) for row in rows}
        assert {(1.0, True, True), (None, None, None)} <= said
        assert {p for p, _, sure in said if sure} == {
            p for p, flagged, _ in said if flagged and p and p > 0.9
        }

    def test_excluded_samples_can_be_marked(self, export: Export, reviewed: Reviewed) -> None:
        rows = read_jsonl(export, excluded="mark")
        marked = [row for row in rows if row["excluded"]]
        assert [row["sample_id"] for row in marked] == [reviewed.sample_ids[2]]
        assert marked[0]["exclusion"] == "off_topic"
        assert len(rows) == NUM_SAMPLES

    @pytest.mark.parametrize(("split", "count"), [("train", NUM_TRAIN - 1), ("test", NUM_TEST)])
    def test_of_one_split(self, export: Export, split: str, count: int) -> None:
        rows = read_jsonl(export, split=split)
        assert {row["split"] for row in rows} == {split}
        assert len(rows) == count


class TestDelta:
    @pytest.mark.parametrize("options", [{}, {"excluded": "leave_out"}, {"excluded": "mark"}])
    def test_has_what_changed_and_what_is_excluded(
        self, export: Export, reviewed: Reviewed, options: dict[str, str]
    ) -> None:
        file = export(format="csv", **options)
        assert file.name == "pets-co.csv"
        table = pd.read_csv(file, dtype={"sample_id": str})
        assert table["sample_id"].tolist() == reviewed.sample_ids[1:3]
        assert table["action"].tolist() == ["relabel", "exclude"]
        assert table["label"].tolist()[0] == "grün"
        assert table["reason"].tolist()[1] == "off_topic"

    def test_read_as_the_guide_says_keeps_names_of_classes(self, export_trapped: Export) -> None:
        file = export_trapped(format="csv", labels="suggestions", min_p=0)
        table = pd.read_csv(file, dtype={"given_label": str, "label": str}, keep_default_na=False)
        assert set(table["given_label"]) == set(table["label"]) == set(TRAPS)

    def test_of_labels_as_given_is_empty(self, export: Export) -> None:
        assert export(format="csv", labels="given").read_text("utf-8").count("\n") == 1

    def test_of_one_split_has_no_other(self, export: Export) -> None:
        assert export(format="csv", split="test").read_text("utf-8").count("\n") == 1

    def test_holds_no_formula(self, export: Export) -> None:
        text = export(format="csv", labels="suggestions", min_p=0).read_text()
        cells = [cell for line in text.splitlines() for cell in line.split(",")]
        assert "'=cmd()" in cells
        assert "'=a formula" in cells
        assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)
        # JSON is no spreadsheet.
        assert {row["label"] for row in read_jsonl(export, labels="given")} == set(CLASSES)


class TestCleanlab:
    @pytest.mark.parametrize("options", [{}, {"excluded": "leave_out"}, {"excluded": "mark"}])
    def test_has_the_judged_samples_with_both_polarities(
        self, export: Export, reviewed: Reviewed, options: dict[str, str]
    ) -> None:
        table = pd.read_csv(export(format="cleanlab", **options))
        assert table["sample_id"].tolist() == reviewed.sample_ids[:NUM_TRAIN]
        judged = table.dropna(subset=["label_score"])
        assert len(judged) == NUM_TRAIN - 1
        assert (judged["label_score"] + judged["label_issue_score"]).tolist() == [1.0] * len(judged)
        assert table["is_label_issue"].dtype == bool
        assert table["action"].tolist()[2] == "exclude"
        assert table["corrected_label"].tolist()[1] == "grün"
        assert table["corrected_label"].isna().tolist()[0]
