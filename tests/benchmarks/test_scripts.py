"""Every benchmark starts, the cheapest of each folder runs, and the page of results is theirs."""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.harness import RESULTS, ROOT
from benchmarks.tables import page
from tests.labelaudit.program import environment
from tests.support.archives import write_tiny_zip
from tests.support.processes import run_to_end

_ASK_ALL_FOR_HELP = """
import contextlib, io, runpy, sys
for module in sys.argv[1:]:
    sys.argv = [module, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert said.getvalue().startswith("usage: "), module
"""
_NO_COMMAND = {"benchmarks.study.child", "benchmarks.tables"}
"""The first reads a file of a study, the second has no options."""


def commands() -> list[str]:
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for path in sorted((ROOT / "benchmarks").rglob("*.py"))
        if '__name__ == "__main__"' in path.read_text()
    ]


def run(module: str, *arguments: object, out: Path, **variables: str) -> Any:
    """Run a benchmark; return the result that it wrote."""
    command = (sys.executable, "-m", module, *arguments, "--out", out)
    done = run_to_end(command, cwd=ROOT, env=environment(**variables))
    assert done.returncode == 0, done.stderr
    return json.loads((out if out.suffix else next(out.glob("*.json"))).read_text())


def assert_says_where_from(result: dict[str, Any]) -> None:
    assert {"commit", "uncommitted_changes", "processor", "cores", "python"} <= result.keys()
    assert "out" in result["arguments"]


def test_every_benchmark_shows_its_options() -> None:
    modules = [module for module in commands() if module not in _NO_COMMAND]
    assert len(modules) > 15
    command = (sys.executable, "-c", _ASK_ALL_FOR_HELP, *modules)
    done = run_to_end(command, cwd=ROOT, env=environment())
    assert done.returncode == 0, done.stderr


def test_one_of_detection_runs(tmp_path: Path) -> None:
    module = "benchmarks.detection.mixture_speed"
    result = run(module, "--sizes", "2000", "--draws", "4", out=tmp_path)
    assert_says_where_from(result)
    assert len(result["rows"]) in {1, 2}


def test_one_of_training_runs(tmp_path: Path) -> None:
    archive = tmp_path / "cifar.zip"
    write_pictures(archive, num_classes=10, num_each=2)
    arguments = ("--images", "20", "--runs", "1", "--sizes", "8")
    module = "benchmarks.training.feature_batches"
    result = run(module, *arguments, out=tmp_path / "out.json", CIFAR10_ZIP=str(archive))
    assert_says_where_from(result)
    assert list(result["sizes"]) == ["8"]


def test_one_of_service_runs(tmp_path: Path) -> None:
    archive = tmp_path / "tiny.zip"
    write_tiny_zip(archive, num_train=50)
    module = "benchmarks.service.ingest_speed"
    result = run(module, archive, "--repeat", "1", out=tmp_path / "out.json")
    assert_says_where_from(result)
    assert result["num_images"] == 50


def write_pictures(archive: Path, *, num_classes: int, num_each: int) -> None:
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(archive, "w") as packed:
        for number in range(num_classes * num_each):
            file = io.BytesIO()
            pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file, "JPEG")
            packed.writestr(f"train/{number % num_classes}/{number}.jpg", file.getvalue())


def test_the_page_of_results_is_of_the_files_beside_it() -> None:
    assert (RESULTS / "README.md").read_text() == page(RESULTS)
