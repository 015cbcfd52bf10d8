"""What the README shows is run as it stands."""

import os
import re
import sys
import zipfile
from pathlib import Path

import pytest

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


def test_the_curl_lines_lead_from_upload_to_suspects(transcript: str) -> None:
    assert "event: epoch" in transcript
    assert '"succeeded"' in transcript
    assert '"p_mislabeled"' in transcript
    assert '"noise_rate"' in transcript


def test_the_line_that_exports_writes_the_data_set(transcript: str, service: Service) -> None:
    [name] = re.findall(r"labelaudit-out/\S+\.zip", transcript)
    assert zipfile.is_zipfile(service.data_dir.parent / name)


def test_the_model_loads_in_plain_pytorch(transcript: str, service: Service) -> None:
    assert transcript
    done = run_to_end(
        [sys.executable, "-P", "-c", _block("python", "load_state_dict")],
        cwd=service.data_dir.parent,
    )  # fmt: skip
    assert done.stdout.strip() in {"red", "green", "blue"}, done.stderr
