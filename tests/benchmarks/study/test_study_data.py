from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.images import stratified_rows
from benchmarks.study.data import StudyData, make_noise
from benchmarks.study.read import read_data
from labelaudit.errors import InputError
from ml.types import BoolArray
from tests.benchmarks.study.support import tiny_data
from tests.support.archives import write_tiny_zip

LABELS = np.repeat([0, 1, 2], [50, 30, 20])


def test_chosen_rows_keep_the_shares_of_the_classes() -> None:
    rows = stratified_rows(LABELS, 10)
    assert rows.tolist() == [0, 1, 2, 3, 4, 50, 51, 52, 80, 81]
    drawn = stratified_rows(LABELS, 13, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 13
    assert np.bincount(LABELS[drawn]).tolist() == [6, 4, 3]
    assert drawn.tolist() == sorted(drawn) != rows.tolist()
    assert len(stratified_rows(LABELS, 1000)) == 100


def test_the_fingerprint_tells_data_apart() -> None:
    data = tiny_data()
    labels = data.train_labels.copy()
    labels[0] += 1
    images = data.test_images.copy()
    images[0, 0, 0, 0] ^= 1
    others = [
        replace(data, train_labels=labels),
        replace(data, test_images=images),
        replace(data, classes=("a", "b", "c")),
    ]
    assert tiny_data().fingerprint() == data.fingerprint()
    assert len({data.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_data_come_back_as_they_were_saved(tmp_path: Path) -> None:
    data = tiny_data()
    data.save(tmp_path)
    loaded = StudyData.load(tmp_path, name=data.name, classes=data.classes)
    assert loaded.fingerprint() == data.fingerprint()


class TestNoise:
    DATA = tiny_data(900, 3)

    def is_wrong(self, *, kind: str = "uniform", level: float = 0.5, seed: int = 0) -> BoolArray:
        noisy = make_noise(self.DATA, kind=kind, level=level, seed=seed)
        assert (noisy.is_wrong == (noisy.labels != self.DATA.train_labels)).all()
        return noisy.is_wrong

    def test_is_a_function_of_seed_and_level(self) -> None:
        first, others = self.is_wrong(), self.is_wrong(level=0.5001)
        assert (first == self.is_wrong()).all()
        assert (first != self.is_wrong(seed=1)).mean() > 0.2
        assert (first != others).mean() > 0.2  # a stream of its own for each level

    def test_uniform_noise_draws_from_all_classes(self) -> None:
        assert not self.is_wrong(level=0.0).any()
        assert 0.28 < self.is_wrong().mean() < 0.39  # nominal 50 %: two of three move

    @pytest.mark.parametrize("kind", ["uniform-others", "asymmetric", "instance"])
    def test_other_kinds_move_labels_at_their_nominal_rate(self, kind: str) -> None:
        assert 0.25 < self.is_wrong(kind=kind, level=0.3).mean() < 0.35

    def test_noise_of_other_data_is_refused(self) -> None:
        with pytest.raises(InputError) as raised:
            self.is_wrong(kind="asymmetric-cifar10")
        assert raised.value.code == "invalid_option"


class TestReading:
    def test_split_folders_are_kept(self, tmp_path: Path) -> None:
        write_tiny_zip(tmp_path / "tiny.zip", num_train=30, num_test=12)
        data = read_data(tmp_path / "tiny.zip")
        assert (data.name, data.classes) == ("tiny", ("blue", "green", "red"))
        assert data.train_images.shape == (30, 8, 8, 3)
        assert len(data.test_labels) == 12

    def test_without_a_test_split_a_fifth_of_each_class_is_held_out(self, tmp_path: Path) -> None:
        write_tiny_zip(tmp_path / "tiny.zip", num_train=60)
        data, again = (read_data(tmp_path / "tiny.zip") for _ in range(2))
        every = np.concatenate([data.train_labels, data.test_labels])
        assert np.bincount(data.test_labels).tolist() == (np.bincount(every) // 5).tolist()
        assert data.fingerprint() == again.fingerprint()
        pixels = np.concatenate([data.train_images, data.test_images]).reshape(60, -1)
        assert len(np.unique(pixels, axis=0)) == 60

    def test_fewer_images_are_taken_when_asked(self, tmp_path: Path) -> None:
        write_tiny_zip(tmp_path / "tiny.zip", num_train=60, num_test=30)
        data = read_data(tmp_path / "tiny.zip", max_train=20, max_test=9)
        assert (len(data.train_labels), len(data.test_labels)) == (20, 9)
        assert len(np.unique(data.train_labels)) == 3

    def test_what_the_ingest_refuses_is_told_with_its_code(self, tmp_path: Path) -> None:
        (tmp_path / "one.zip").write_bytes(b"no archive")
        with pytest.raises(InputError) as raised:
            read_data(tmp_path / "one.zip")
        assert raised.value.code == "unknown_archive"

    @pytest.mark.skipif(not Path("/dev/null").exists(), reason="no device file here")
    def test_what_is_neither_folder_nor_file_is_told(self) -> None:
        with pytest.raises(InputError, match="neither"):
            read_data(Path("/dev/null"))
