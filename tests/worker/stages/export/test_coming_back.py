"""Our own export is taken in again as an equal data set."""

import zipfile
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
from torchvision.datasets import ImageFolder

from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import BlobStore
from tests.support.exports import TRAPS, make_reviewed, write_export
from tests.worker.stages.export.conftest import Export
from tests.worker.stages.ingest.making import run
from worker.stages.export.folders import folder_names

HARD = [
    ".", "..", "a/b", "a%2Fb", "a\\b", "a\x00b", "a\nb", "Cat", "cat", "cAt", "cat.", "CON",
    "aux.txt", "NUL", "nul ", "LPT1", "C:x", "<b>", 'a"b', "a|b?*", ".hidden", "__MACOSX",
    "Thumbs.db", "100 %",
]  # fmt: skip
"""Names that some system cannot have as a folder, or not beside another one."""


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


class TestFolderNames:
    @pytest.mark.parametrize("name", ["cat", "grün", "=cmd()", "a b", "-", "console", "com10"])
    def test_are_the_class_names_wherever_these_are_some(self, name: str) -> None:
        assert folder_names([name]) == [name]

    def test_are_never_empty(self) -> None:
        assert folder_names([""]) == ["%00"]

    def test_are_folders_on_every_system_and_tell_the_class(self) -> None:
        made = folder_names(HARD)
        assert [unquote(folder) for folder in made] == HARD
        assert len({folder.casefold() for folder in made}) == len(HARD)
        for folder in made:
            assert folder.isprintable()
            assert not set(folder) & set('/\\<>:"|?*')
            assert not folder.startswith(".")
            assert not folder.endswith((".", " "))
            assert folder.partition(".")[0].casefold() not in {"con", "aux", "nul", "lpt1"}

    def test_keep_all_classes_apart_on_disk_and_on_the_way_back(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        # No table has a class of the others: labels are text without space around it.
        classes = sorted(name for name in HARD if name.isprintable() and name[-1] != " ")
        reviewed = make_reviewed(database, settings, classes)
        exported = write_export(database, settings, reviewed, format="imagefolder", labels="given")
        with zipfile.ZipFile(exported) as archive:
            archive.extractall(tmp_path / "x")
        folders = ImageFolder(tmp_path / "x" / "train")
        assert sorted(map(unquote, folders.classes)) == classes
        assert set(Counter(folders.targets).values()) == {3}
        taken = run(exported)
        assert taken.summary["classes"] == classes
        assert (taken.summary["num_samples"], taken.rejected) == (4 * len(classes), [])
