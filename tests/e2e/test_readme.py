"""What the README shows is run as it stands."""

import os
import re
import sys
import zipfile
from pathlib import Path

import pytest

from labelaudit.demo import run_demo
from tests.labelaudit.program import environment
from tests.support.archives import write_tiny_zip
from tests.support.processes import run_to_end
from tests.support.service import Service

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def _block(language: str, containing: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    [block] = [text for text in blocks if containing in text]
    return block


@pytest.fixture(scope="module")
def transcript(service: Service) -> str:
    """Run the curl lines beside the service's data folder; only the port differs."""
    folder = service.data_dir.parent
    write_tiny_zip(folder / "photos.zip", num_train=120)
    lines = _block("bash", "/v1/datasets") + _block("bash", "labelaudit export")
    script = lines.replace("http://127.0.0.1:8000", service.url)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run_to_end(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(PATH=path),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_curl_lines_lead_from_upload_to_suspects_and_model(
    transcript: str, service: Service
) -> None:
    assert "event: epoch" in transcript
    assert '"succeeded"' in transcript
    assert '"p_mislabeled"' in transcript
    assert '"noise_rate"' in transcript
    folder = service.data_dir.parent
    assert (folder / "model.safetensors").stat().st_size > 0


def test_the_line_that_exports_writes_the_data_set(transcript: str, service: Service) -> None:
    [name] = re.findall(r"labelaudit-out/\S+\.zip", transcript)
    assert zipfile.is_zipfile(service.data_dir.parent / name)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do what `make demo` does, with fewer digits."""
    folder = tmp_path_factory.mktemp("demo")
    run_demo(folder / "labelaudit-out", num_images=100)
    return folder


class TestDemo:
    def test_it_leaves_the_files_that_the_readme_names(self, demo: Path) -> None:
        named = set(re.findall(r"`((?:suspects|findings|report|model|truth)\.\w+)`", README))
        assert named == {file.name for file in (demo / "labelaudit-out").iterdir()}
