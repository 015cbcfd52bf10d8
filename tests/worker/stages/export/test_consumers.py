"""Exports are read by the tools that they are for; class names and counts come out equal."""

import gc
import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from tests.support.exports import CLASSES, NUM_TEST, NUM_TRAIN, TRAPS, Reviewed
from tests.worker.stages.export.conftest import Export
from worker.stages.ingest.label_studio import tasks_as_records

NUM_LEFT = NUM_TRAIN + NUM_TEST - 1


@pytest.fixture(autouse=True)
def _hugging_face_stays_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging-face"))


def unpack(file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return folder


def load(tmp_path: Path, *args: str, **options: Any) -> Any:
    """Load with Hugging Face `datasets`, without its network and outside its home."""
    import datasets  # noqa: PLC0415 - takes seconds, and reads the environment

    loaded = datasets.load_dataset(*args, cache_dir=str(tmp_path / "cache"), **options)
    gc.collect()  # it leaves a table open; better told of now than in another test
    return loaded


class TestImageFolder:
    def test_is_loaded_by_torchvision(self, export: Export, tmp_path: Path) -> None:
        folder = unpack(export(format="imagefolder"), tmp_path)
        train, test = ImageFolder(folder / "train"), ImageFolder(folder / "test")
        assert train.classes == test.classes == sorted(CLASSES)
        assert (len(train), len(test)) == (NUM_TRAIN - 1, NUM_TEST)
        # One of three cats is grün now; one of three grün is out.
        names = Counter(train.classes[label] for label in train.targets)
        assert names == {"=cmd()": 3, "cat": 2, "grün": 3}

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_is_loaded_by_hugging_face(
        self, export: Export, tmp_path: Path, reviewed: Reviewed
    ) -> None:
        folder = unpack(export(format="imagefolder"), tmp_path / "x")
        loaded = load(tmp_path, "imagefolder", data_dir=str(folder))
        assert {name: len(part) for name, part in loaded.items()} == {
            "train": NUM_TRAIN - 1,
            "test": NUM_TEST,
        }
        row = next(r for r in loaded["train"] if r["sample_id"] == reviewed.sample_ids[1])
        assert (row["label"], row["given_label"]) == ("grün", "cat")
        assert row["image"].getpixel((0, 0)) == (10, 10, 10)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_names_of_classes_stay_text(
        self, export_trapped: Export, tmp_path: Path, split: str
    ) -> None:
        folder = unpack(export_trapped(format="imagefolder", labels="given"), tmp_path / "x")
        loaded = load(tmp_path, "imagefolder", data_dir=str(folder))[split]
        assert sorted(set(loaded["label"])) == TRAPS
        for row in loaded:
            assert row["path"].split("/")[-2] == row["label"] == row["given_label"]
        assert ImageFolder(folder / split).classes == TRAPS

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_of_one_split_without_judgements_is_loaded(
        self, export: Export, tmp_path: Path
    ) -> None:
        folder = unpack(export(format="imagefolder", split="test"), tmp_path / "x")
        loaded = load(tmp_path, "imagefolder", data_dir=str(folder), split="train")
        assert sorted(loaded["label"]) == sorted(CLASSES)

    def test_table_leads_to_every_file(self, export: Export, tmp_path: Path) -> None:
        folder = unpack(export(format="imagefolder"), tmp_path)
        for split in ("train", "test"):
            table = pd.read_parquet(folder / split / "metadata.parquet")
            files = set((folder / split).rglob("*.png"))
            assert {folder / split / name for name in table["file_name"]} == files

    def test_of_one_split_has_no_folder_for_it(self, export: Export) -> None:
        with zipfile.ZipFile(export(format="imagefolder", split="train")) as archive:
            names = archive.namelist()
        assert "metadata.parquet" in names
        assert {name.split("/")[0] for name in names if "/" in name} == set(CLASSES)


class TestParquet:
    def test_is_loaded_by_hugging_face(
        self, export: Export, tmp_path: Path, reviewed: Reviewed
    ) -> None:
        file = export(format="parquet")
        loaded = load(tmp_path, "parquet", data_files=str(file), split="train")
        assert loaded.features["label"].names == CLASSES
        assert loaded.features["given_label"].names == CLASSES
        assert len(loaded) == NUM_LEFT
        row = loaded[1]
        assert (row["sample_id"], row["label"]) == (reviewed.sample_ids[1], 2)
        assert row["image"].getpixel((0, 0)) == (10, 10, 10)
        assert (loaded[0]["flagged"], loaded[0]["sure"]) == (True, True)

    def test_is_read_by_pandas(self, export: Export) -> None:
        table = pd.read_parquet(export(format="parquet", excluded="mark"))
        assert len(table) == NUM_LEFT + 1
        assert table["excluded"].sum() == 1
        image = Image.open(io.BytesIO(table["image"][3]["bytes"]))
        assert image.size == (8, 8)
        assert table["image"][3]["path"] == "pets/train/=cmd()/1.png"


class TestFiftyOne:
    def test_has_a_label_for_each_stem(
        self, export: Export, tmp_path: Path, reviewed: Reviewed
    ) -> None:
        folder = unpack(export(format="fiftyone"), tmp_path)
        labels = json.loads((folder / "labels.json").read_text())
        assert labels["classes"] == CLASSES
        assert set(labels["labels"]) == {path.stem for path in (folder / "data").iterdir()}
        relabelled = labels["labels"][reviewed.sample_ids[1]]
        assert relabelled["label"] == 2
        assert relabelled["attributes"]["given_label"] == "cat"
        assert relabelled["attributes"]["p_mislabeled"] > 0
        first = labels["labels"][reviewed.sample_ids[0]]["attributes"]
        assert (first["flagged"], first["sure"]) == (True, True)


class TestLabelStudio:
    def test_has_the_label_as_annotation_and_the_suggestion_as_prediction(
        self, export: Export, reviewed: Reviewed
    ) -> None:
        file = export(format="label-studio", excluded="mark", image_url="https://host/{path}")
        tasks = json.loads(file.read_text("utf-8"))
        assert len(tasks) == NUM_LEFT + 1
        task = tasks[1]
        assert task["data"]["image"] == "https://host/pets/train/cat/0.png"
        assert task["data"]["sample_id"] == reviewed.sample_ids[1]
        (annotation,), (prediction,) = task["annotations"], task["predictions"]
        assert annotation["ground_truth"]
        assert annotation["result"][0]["value"] == {"choices": ["grün"]}
        assert prediction["result"][0]["value"] == {"choices": ["grün"]}
        assert [task["annotations"][0]["was_cancelled"] for task in tasks[:4]] == [
            False, False, True, False,
        ]  # fmt: skip
        ids = [result["id"] for task in tasks for kind in ("annotations", "predictions")
               for item in task[kind] for result in item["result"]]  # fmt: skip
        assert len(set(ids)) == len(ids)
        assert tasks[-1]["predictions"] == []

    def test_is_what_its_sdk_accepts(self, export: Export) -> None:
        sdk = pytest.importorskip(
            "label_studio_sdk.label_interface", reason="its SDK brings half a gigabyte of packages"
        )
        said = (*CLASSES, "bird")  # by an annotator alone
        choices = "".join(f'<Choice value="{name}"/>' for name in said)
        interface = sdk.LabelInterface(
            '<View><Image name="image" value="$image"/>'
            f'<Choices name="choice" toName="image">{choices}</Choices></View>'
        )
        tasks = json.loads(export(format="label-studio").read_text("utf-8"))
        for task in tasks:
            sdk.objects.TaskValue.model_validate(task | {"annotations": [], "predictions": []})
            for annotation in task["annotations"]:
                assert interface.validate_annotation(annotation), annotation
            for prediction in task["predictions"]:
                assert interface.validate_prediction(prediction, return_errors=True) == []

    def test_has_an_annotation_for_each_annotator_while_the_label_is_theirs(
        self, export: Export
    ) -> None:
        tasks = json.loads(export(format="label-studio").read_text("utf-8"))
        by_path = {task["data"]["path"]: task for task in tasks}
        given, relabelled = by_path["pets/train/cat/1.png"], by_path["pets/train/cat/0.png"]
        said = {"=ann": "cat", "bob": "bird"}
        assert given["data"]["annotators"] == relabelled["data"]["annotators"] == said
        assert len(relabelled["annotations"]) == 1
        (record,) = tasks_as_records([given])
        assert record["label"] == said


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # mlcroissant's own
class TestCroissant:
    def test_is_valid_and_loads_with_the_provenance_of_each_label(
        self, export: Export, tmp_path: Path, reviewed: Reviewed
    ) -> None:
        import mlcroissant as mlc  # noqa: PLC0415 - takes seconds

        file = export(format="croissant", about={"license": "CC-BY-4.0", "url": "https://host/x"})
        folder = unpack(file, tmp_path)
        dataset = mlc.Dataset(jsonld=str(folder / "croissant.json"))
        assert not dataset.metadata.ctx.issues.errors
        rows = list(dataset.records("samples"))
        assert len(rows) == NUM_LEFT
        by_id = {row["samples/sample_id"]: row for row in rows}
        relabelled = by_id[reviewed.sample_ids[1].encode()]
        assert relabelled["samples/label"] == "grün".encode()
        assert relabelled["samples/label_source"] == b"decision"
        assert relabelled["samples/image"].size == (8, 8)
        log = list(dataset.records("decisions"))
        assert [row["decisions/to_decision"] for row in log] == [
            b"keep", b"relabel", b"exclude", b"unsure",
        ]  # fmt: skip

    def test_names_of_classes_stay_text(
        self, export_trapped: Export, tmp_path: Path, trapped: Reviewed
    ) -> None:
        import mlcroissant as mlc  # noqa: PLC0415 - takes seconds

        folder = unpack(export_trapped(format="croissant"), tmp_path)
        dataset = mlc.Dataset(jsonld=str(folder / "croissant.json"))
        assert {row["samples/label"].decode() for row in dataset.records("samples")} == set(TRAPS)
        relabelled = list(dataset.records("decisions"))[1]
        assert relabelled["decisions/sample_id"] == trapped.sample_ids[1].encode()
        assert relabelled["decisions/to_label"] == TRAPS[2].encode()

    def test_names_who_a_label_is_from_at_the_label(self, export: Export, tmp_path: Path) -> None:
        folder = unpack(export(format="croissant"), tmp_path)
        card = json.loads((folder / "croissant.json").read_text())
        assert card["conformsTo"] == "http://mlcommons.org/croissant/1.1"
        (samples, _) = card["recordSet"]
        (label,) = (field for field in samples["field"] if field["@id"] == "samples/label")
        meanings = {note["name"]: note["equivalentProperty"] for note in label["annotation"]}
        assert meanings["decided_by"] == "prov:wasAttributedTo"
        assert meanings["annotations"] == "prov:qualifiedAttribution"

    def test_keeps_what_each_annotator_said(self, export: Export, tmp_path: Path) -> None:
        folder = unpack(export(format="croissant"), tmp_path)
        table = pd.read_parquet(folder / "samples.parquet")
        (row,) = table[table["path"] == "pets/train/cat/1.png"].to_dict("records")
        assert json.loads(row["annotations"]) == {"=ann": "cat", "bob": "bird"}
        assert (row["agreement"], row["tied"]) == (0.5, True)
