"""Thousands of generated requests against the real server: schemathesis, all checks, stateful.

    python -m benchmarks.service.contract_fuzz --seconds 120

prepares an audited data set, starts the API process on its data folder and checks every reply
against the OpenAPI document. Exits with 1 if a reply was a server error or broke the document.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.harness import facts, keep
from benchmarks.service.api_process import running_api
from benchmarks.service.contract_hooks import OWN_IDS
from tests.support.archives import write_tiny_zip
from tests.support.service import running_service

CONFIG = Path(__file__).with_name("schemathesis.toml")


def main() -> int:
    """Run and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--out", type=Path, help="where the result goes, as JSON")
    options = parser.parse_args()
    origin = facts(options)
    with tempfile.TemporaryDirectory() as folder:
        key = _prepare(Path(folder))
        with running_api(Path(folder) / "api.log", **_settings(Path(folder))) as url:
            code = _fuzz(url, key, Path(folder), options.seconds, options.seed)
        result = origin | _result(Path(folder) / "report.ndjson") | {"exit_code": code}
        log = (Path(folder) / "api.log").read_text()
    result["tracebacks"] = log.count("request_failed")
    print(log[-20_000:] if result["tracebacks"] else "no server error in the log")
    print(json.dumps(result, indent=1))
    keep(result, options.out)
    return code


def _settings(folder: Path) -> dict[str, str]:
    """Return the API's environment: what is too large is refused as that, not for want of disk."""
    return {
        "LABELAUDIT_DATA_DIR": str(folder / "labelaudit-data"),
        "LABELAUDIT_MAX_UPLOAD_BYTES": str(1024**3),
    }


def _prepare(folder: Path) -> str:
    """Audit a tiny data set with the whole program; return the key."""
    archive = folder / "tiny.zip"
    write_tiny_zip(archive, num_train=60, num_test=6)
    with running_service(folder) as service:
        wanted = json.dumps({"preset": "standard", "epochs": 2})
        reply = service.upload(archive, audit=wanted).raise_for_status().json()
        assert service.wait(reply["job_id"])["state"] == "succeeded"
        return (service.data_dir / "api-key").read_text().strip()


def _fuzz(url: str, key: str, folder: Path, seconds: int, seed: int | None) -> int:
    command: list[str | Path] = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run",
        f"{url}/openapi.json", "-H", f"Authorization: Bearer {key}",
        "--max-time", str(seconds), "--continue-on-failure", "--no-color",
        "--report", "ndjson", "--report-ndjson-path", folder / "report.ndjson",
        "--generation-database", "none",
    ]  # fmt: skip
    if seed is not None:
        command += ["--seed", str(seed)]
    hooks = os.environ | {
        "SCHEMATHESIS_HOOKS": "benchmarks.service.contract_hooks",
        OWN_IDS: ",".join(_own_ids(url, key)),
    }
    return subprocess.run(command, cwd=folder, env=hooks, check=False).returncode


def _own_ids(url: str, key: str) -> list[str]:
    """Return the ids of the key, as it has them in its middle, and of its tenant."""
    usage = httpx2.get(f"{url}/v1/tenants", headers={"Authorization": f"Bearer {key}"})
    tenants = usage.raise_for_status().json()["items"]
    return [key.split("_")[2], *(tenant["id"] for tenant in tenants)]


def _result(report: Path) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    with report.open() as lines:
        for line in lines:
            _count(json.loads(line), statuses)
    return {
        "calls": sum(statuses.values()),
        "statuses": dict(sorted(statuses.items())),
        "server_errors": sum(n for status, n in statuses.items() if status >= 500),
    }


def _count(event: Any, statuses: Counter[int]) -> None:
    """Count every response in a report's event, however deep it lies."""
    if isinstance(event, dict):
        response = event.get("response")
        if isinstance(response, dict) and isinstance(response.get("status_code"), int):
            statuses[response["status_code"]] += 1
        for value in event.values():
            _count(value, statuses)
    elif isinstance(event, list):
        for value in event:
            _count(value, statuses)


if __name__ == "__main__":
    sys.exit(main())
