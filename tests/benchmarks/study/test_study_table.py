import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.study.report import NOISE_PERCENT, PUBLISHED, page, report_study
from benchmarks.study.results import CellResult, StudyFolder
from benchmarks.study.table import summarise
from labelaudit.errors import InputError
from tests.benchmarks.study.support import made_cell

CELLS = [
    made_cell("m-dyr-h", 0.5, 0, best=0.80, last=0.70),
    made_cell("m-dyr-h", 0.5, 1, best=0.84, last=0.80),
    made_cell("ce", 0.5, 0, best=0.60, last=0.50),
    made_cell("ce", 0.0, 0, best=0.90, last=0.89),
]


def write(out: Path, cells: list[CellResult]) -> None:
    folder = StudyFolder(out)
    folder.prepare()
    rng = np.random.default_rng(0)
    for cell in cells:
        is_wrong = rng.random(200) < cell["actual_noise_rate"]
        losses = rng.gamma(2.0, 0.2, (2, 200)) + 3.0 * is_wrong
        cell["config"]["mixture_mode"] = "robust"
        arrays = {"epochs": np.array([1, 2]), "losses": losses, "is_wrong": is_wrong}
        folder.write_cell(cell, arrays)


class TestSummary:
    def test_means_and_deviations_are_those_of_the_seeds(self) -> None:
        entry = summarise(CELLS).entries["m-dyr-h", "uniform0.5"]
        assert entry.best is not None
        assert entry.last is not None
        assert entry.best.num_seeds == 2
        assert entry.best.mean == pytest.approx(0.82)
        assert entry.best.std == pytest.approx(0.04 / 2**0.5)  # n - 1 below the root
        assert entry.last.std == pytest.approx(0.10 / 2**0.5)
        found = entry.detection["findings"]
        assert found.roc_auc is not None
        assert found.f1 is not None
        assert found.roc_auc.mean == pytest.approx(0.85)
        assert found.f1.mean == pytest.approx(0.75)

    def test_a_single_seed_has_no_deviation_and_clean_labels_no_detection(self) -> None:
        entry = summarise(CELLS).entries["ce", "uniform0"]
        assert entry.best is not None
        assert entry.best.std is None
        assert entry.detection["findings"].roc_auc is None

    def test_rows_are_in_the_paper_s_order_and_columns_by_level(self) -> None:
        table = summarise(CELLS)
        assert table.methods == ("ce", "m-dyr-h")
        assert [column.noise for column in table.columns] == ["uniform0", "uniform0.5"]
        assert table.columns[1].actual_rate == pytest.approx(0.45)


class TestPage:
    def test_shows_best_and_last_and_detection_below(self) -> None:
        text = page(summarise(CELLS), CELLS)
        assert "| method | uniform 0%<br>0.0% wrong | uniform 50%<br>45.0% wrong |" in text
        assert (
            "| m-dyr-h | not run | 82.0 ± 2.8 / 75.0 ± 7.1<br>AUC 0.850 ± 0.071, F1 0.750 ± 0.071 |"
        ) in text
        assert "| ce | 90.0 / 89.0<br>0.0 % flagged | 60.0 / 50.0<br>AUC 0.600, F1 0.500 |" in text

    def test_counts_cells_and_says_how_many_are_missing(self) -> None:
        text = page(summarise(CELLS), CELLS)
        assert "4 cells: 2 methods x 2 noise levels x 2 seeds (0, 1); 4 are missing." in text
        assert "They took 2.0 hours" in text

    def test_names_settings_commits_versions_and_hardware(self) -> None:
        other = made_cell(
            "ce", 0.5, 1, best=0.5, last=0.5,
            config={"method": "ce", "seed": 1, "epochs": 9, "width": 4},
            commit={"id": "d" * 40, "dirty": True},
        )  # fmt: skip
        cells = [*CELLS, other]
        text = page(summarise(cells), cells)
        assert "- width 4\n- epochs: m-dyr-h 2, ce 2 or 9\n" in text
        assert "- commit: cccccccccc (4 cells); dddddddddd with changes (1 cells)\n" in text
        assert "Abacus, 2 cores, on cpu, 1 threads a cell" in text

    def test_the_published_table_stands_beside_it(self) -> None:
        text = page(summarise(CELLS), CELLS)
        assert "ICML 2019" in text
        assert "differ from ours" in text
        assert (
            "| CIFAR-10 | md-dyr-sh | 93.6 / 92.7 | 93.8 / 93.6 | 90.6 / 90.3 | 82.4 / 77.8 "
            "| 69.1 / 68.7 |"
        ) in text


def test_published_rows_are_whole() -> None:
    assert {(row.data, row.method) for row in PUBLISHED} == {
        (data, method) for data in ("CIFAR-10", "CIFAR-100") for method in ("m-dyr-h", "md-dyr-sh")
    }
    for row in PUBLISHED:
        assert len(row.best) == len(row.last) == len(NOISE_PERCENT)
        assert all(best >= last for best, last in zip(row.best, row.last, strict=True))


class TestReport:
    def test_writes_table_and_pictures_of_what_is_finished(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(tmp_path, CELLS)
        report_study(tmp_path)
        assert "AUC 0.850 ± 0.071" in capsys.readouterr().out
        table = json.loads((tmp_path / "table.json").read_text())
        assert (table["num_cells"], len(table["entries"])) == (4, 3)
        assert {path.name for path in tmp_path.glob("*.png")} == {
            "accuracy-uniform0.png", "accuracy-uniform0.5.png", "roc-uniform0.5.png",
            *(f"losses-{cell['name']}.png" for cell in CELLS),
        }  # fmt: skip
        for path in tmp_path.glob("*.png"):
            with Image.open(path) as image:
                image.load()
                assert image.width == 1600
                assert len(image.getcolors(2**22) or ()) > 10

    def test_figures_without_losses_still_give_table_and_accuracy(self, tmp_path: Path) -> None:
        write(tmp_path, CELLS[:1])
        StudyFolder(tmp_path).losses_of(CELLS[0]["name"]).unlink()
        report_study(tmp_path)
        assert [path.name for path in tmp_path.glob("*.png")] == ["accuracy-uniform0.5.png"]

    def test_an_empty_folder_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as raised:
            report_study(tmp_path)
        assert raised.value.code == "no_cells"

    @pytest.mark.parametrize("text", ["", "[]", '{"format": 0}'])
    def test_a_file_that_is_no_cell_is_named(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "cells").mkdir()
        (tmp_path / "cells" / "odd.json").write_text(text)
        with pytest.raises(InputError, match=r"odd\.json") as raised:
            report_study(tmp_path)
        assert raised.value.code == "invalid_cell"
