"""Our own export is taken in again as an equal data set."""

import zipfile
from pathlib import Path

import pytest

from app.core.storage import BlobStore
from tests.support.exports import TRAPS
from tests.worker.exporter.conftest import Export
from tests.worker.ingest.making import run
from worker.exporter.placing import folder_name


@pytest.fixture(autouse=True)
def _no_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlobStore, "sync", staticmethod(lambda: None))


def original(folder: Path, exported: Path) -> Path:
    """Pack the images as they were uploaded: below a wrapper, without a table."""
    target = folder / "original.zip"
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            if not name.endswith(".parquet"):
                archive.writestr(f"pets/{name}", source.read(name))
    return target


class TestReimport:
    def test_gives_the_same_data_set(self, export: Export, tmp_path: Path) -> None:
        exported = export(format="imagefolder", labels="given")
        again = run(exported).summary
        before = run(original(tmp_path, exported)).summary
        for name in ("content_hash", "classes", "splits", "num_samples", "num_duplicates"):
            assert again[name] == before[name], name
        assert (again["num_samples"], again["splits"]) == (12, {"train": 9, "test": 3})

    def test_keeps_names_of_classes_that_look_like_something_else(
        self, export_trapped: Export
    ) -> None:
        taken = run(export_trapped(format="imagefolder", labels="given"))
        assert taken.summary["classes"] == TRAPS
        for row in taken.samples:
            assert row["path"].split("/")[1] == TRAPS[row["label"]]

    def test_of_reviewed_labels_has_the_reviewed_classes(self, export: Export) -> None:
        exported = export(format="imagefolder")
        taken = run(exported)
        labels = {row["path"]: taken.summary["classes"][row["label"]] for row in taken.samples}
        (moved,) = (path for path in labels if "/0.s" in path)
        assert labels[moved] == labels["train/grün/1.png"] == "grün"
        assert taken.summary["num_samples"] == 11


class TestFolderName:
    @pytest.mark.parametrize("name", ["cat", "grün", "=cmd()", "a b", "%2F", "-"])
    def test_is_the_class_name_wherever_that_is_one(self, name: str) -> None:
        assert folder_name(name) == name

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\x00b", "a\nb"])
    def test_never_leads_elsewhere(self, name: str) -> None:
        made = folder_name(name)
        assert made not in {"", ".", ".."}
        assert made.isprintable()
        assert not set(made) & set("/\\")
