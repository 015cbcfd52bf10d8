"""The processes of docker-compose.yml, by hand: same commands, same environment, same order."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.archives import write_tiny_zip
from tests.support.client import ServiceClient
from tests.support.ports import free_port
from tests.support.processes import started
from tests.support.stack import PROGRAM
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
DATABASE = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
_GIVEN = {"POSTGRES_PASSWORD": "secret", "LABELAUDIT_SECRET": "pepper"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def _interpolated(text: str) -> str:
    """Do what Compose does with `${NAME:-default}` and `${NAME:?needed}`."""

    def value(match: "re.Match[str]") -> str:
        name, kind, default = match.groups()
        return _GIVEN.get(name) or (default if kind == "-" else _GIVEN[name])

    return _VARIABLE.sub(value, text)


class Composition:
    """What the file says, on this machine instead of in containers."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        parsed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self.services: dict[str, Any] = parsed["services"]
        self.port = free_port()
        self._folder = folder
        self._here = {
            "postgresql://labelaudit:secret@postgres/labelaudit": database_url,
            "redis://redis:6379/0": redis_url,
            "file:///data/blobs": f"file://{folder}/data/blobs",
        }

    def environment(self, name: str) -> dict[str, str]:
        """Return a service's environment; a key without a value is passed on where it is set."""
        given = {
            key: _interpolated(str(value))
            for key, value in self.services[name]["environment"].items()
            if value is not None
        }
        here = {key: self._here.get(value, value) for key, value in given.items()}
        return os.environ | here | {"LABELAUDIT_DATA_DIR": str(self._folder / "data")}

    def command(self, name: str, *instead: str) -> list[str]:
        """Return a service's command line, with ports of this machine."""
        words = instead or tuple(self.services[name]["command"])
        here = {"8000": str(self.port), "0.0.0.0": "127.0.0.1"}  # noqa: S104 - it is replaced
        return [*PROGRAM, *(here.get(word, word) for word in words)]

    def call(self, name: str, *instead: str) -> str:
        """Run to the end what a service does once."""
        done = subprocess.run(
            self.command(name, *instead), env=self.environment(name), cwd=self._folder,
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Run what a service does all the time; it must end well when asked to."""
        with (
            (self._folder / f"{name}.log").open("wb") as log,
            started(
                self.command(name), env=self.environment(name), cwd=self._folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            ) as process,
        ):  # fmt: skip
            yield
            process.terminate()
            assert process.wait(40) == 0

    def is_healthy(self, name: str) -> bool:
        """Run a service's health check."""
        _, program, *words = self.services[name]["healthcheck"]["test"]
        words = [word.replace(":8000", f":{self.port}") for word in words]
        command = [*PROGRAM, *words] if program == "labelaudit" else [sys.executable, *words]
        done = subprocess.run(
            command, env=self.environment(name), cwd=self._folder, timeout=60,
            capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0


@DATABASE
def test_what_compose_starts_takes_an_upload_to_its_findings(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    composition = Composition(tmp_path, database_url, redis_url)
    assert not composition.is_healthy("api")
    assert not composition.is_healthy("worker-gpu")
    composition.call("migrate")
    with ExitStack() as services:
        for name in ("api", "worker-gpu", "worker-cpu", "sweeper"):
            services.enter_context(composition.running(name))
        for name in ("api", "worker-gpu", "worker-cpu"):
            wait_for(lambda n=name: composition.is_healthy(n), seconds=90, what=f"{name} is well")  # type: ignore[misc] # binds the name now
        scopes = [part for scope in ("read", "write", "train") for part in ("--scope", scope)]
        key = composition.call("api", "keys", "create", "--name", "me", *scopes).strip()
        client = ServiceClient(f"http://127.0.0.1:{composition.port}", key)
        archive = tmp_path / "colours.zip"
        write_tiny_zip(archive)
        job_id = client.upload(archive, audit='{"epochs": 2, "method": "ce"}').json()["job_id"]
        assert client.wait(job_id)["state"] == "succeeded"
        assert len(client.findings(job_id, limit=500)) == 240
        client.http.close()
    assert (tmp_path / "data" / "blobs").is_dir()
