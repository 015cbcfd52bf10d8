import csv
from pathlib import Path
from typing import cast

import pytest

from labelaudit.results import read_flagged, safe_cell, write_findings
from labelaudit.schemas import Finding
from tests.labelaudit.fake_service import finding


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\rx"])
def test_no_text_is_taken_for_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_plain_text_stays_exact() -> None:
    assert safe_cell("cat/a=b,'\".png") == "cat/a=b,'\".png"


def test_the_file_has_the_columns_of_the_contract_and_exact_numbers(tmp_path: Path) -> None:
    rows = [
        finding(1, p_mislabeled=0.1 + 0.2, given_label="=cmd", path='a,"b\n.png'),
        finding(2, p_mislabeled=None, flagged=False),
    ]
    top = write_findings(cast("list[Finding]", rows), tmp_path / "f.csv", num_top=5)
    with (tmp_path / "f.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == [
        "sample_id", "path", "given_label", "suggested_label", "suggested_confidence",
        "p_mislabeled", "flagged", "rank",
    ]  # fmt: skip
    assert (first["given_label"], first["path"]) == ("'=cmd", 'a,"b\n.png')
    assert (float(first["p_mislabeled"]), first["flagged"]) == (0.1 + 0.2, "true")
    assert (second["p_mislabeled"], second["flagged"], second["rank"]) == ("", "false", "2")
    assert [found["rank"] for found in top] == [1]
    assert list(read_flagged(tmp_path / "f.csv")) == [('a,"b\n.png', True), ("cat/2.png", False)]


@pytest.mark.parametrize(
    ("changes", "top"),
    [
        ([{}, {"flagged": False}, {}], [1, 3]),
        ([{"flagged": False}, {"flagged": False}, {"flagged": False}], [1, 2]),
        ([{"flagged": False}, {"flagged": False, "p_mislabeled": None}], [1]),
        ([{"flagged": False, "p_mislabeled": None}], []),
    ],
    ids=["flagged", "none flagged", "few judged", "none judged"],
)
def test_the_top_are_the_flagged_or_else_the_most_suspicious(
    tmp_path: Path, changes: list[dict[str, object]], top: list[int]
) -> None:
    rows = [finding(rank, **change) for rank, change in enumerate(changes, start=1)]
    found = write_findings(cast("list[Finding]", rows), tmp_path / "f.csv", num_top=2)
    assert [each["rank"] for each in found] == top


def test_a_list_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> "list[Finding]":
        raise RuntimeError

    (tmp_path / "f.csv").write_text("old")
    with pytest.raises(RuntimeError):
        write_findings(
            (found for _ in range(1) for found in broken()), tmp_path / "f.csv", num_top=1
        )
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"]
    assert (tmp_path / "f.csv").read_text() == "old"
