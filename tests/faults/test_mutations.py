"""RELIABILITY test 40: with a guard switched off, the test that watches it goes red."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.conftest import Say

pytestmark = pytest.mark.faults
ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("app", "labelaudit", "migrations", "ml", "tests", "worker", "pyproject.toml")
_TESTS_FAILED = 1
"""Exit code of pytest; whatever else goes wrong has another."""
_SHORT = {"FAULTS_LEASE_SECONDS": "8"}
"""In an outage of the full length the next attempt has ended, and no fence is needed any more."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A guard, how to switch it off, and who must notice."""

    guard: str
    file: str
    original: str
    mutated: str
    watched_by: str


MUTATIONS = (
    Mutation(
        "the fence",
        "app/jobs/lease_repository.py",
        "        Job.attempt == fence.attempt,\n        Job.owner == fence.owner,\n",
        "",
        "tests/faults/test_kills.py::test_04_an_overtaken_attempt_is_fenced_off[embedded]",
    ),
    Mutation(
        "the fence of a stage's transactions",
        "worker/runtime/claim.py",
        "            cancel = leases.renew(self.fence, lease_seconds=self._seconds)\n",
        "            cancel = False\n",
        "tests/worker/runtime/test_supervisor.py::TestWatch::"
        "test_opens_no_transaction_once_another_worker_owns_the_job",
    ),
    Mutation(
        "the sweeper",
        "worker/runtime/sweeper.py",
        "sweeper.end_expired_leases,",
        "list,",
        "tests/faults/test_kills.py::"
        "test_02_a_killed_worker_leaves_no_orphan_and_its_job_to_the_next[embedded]",
    ),
    Mutation(
        "the rename",
        "app/core/durable.py",
        'temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")',
        "temporary = target",
        "tests/app/core/test_durable.py::TestWriteBytes",
    ),
    Mutation(
        "the sync",
        "app/core/durable.py",
        "        os.fsync(file.fileno())\n",
        "        pass\n",
        "tests/app/core/test_durable.py::TestPublishFile",
    ),
    Mutation(
        "the checkpoint's hashes",
        "worker/stages/train/checkpoints.py",
        "if hashlib.sha256(content).hexdigest() != hashes.get(name):",
        "if False:",
        "tests/worker/stages/train/test_checkpoints.py::TestCheckpoints::test_are_refused_once_changed",
    ),
    Mutation(
        "the tenant filter",
        "app/jobs/repository.py",
        'Job.id == bindparam("job_id"), Job.tenant_id == bindparam("tenant_id"), ',
        'Job.id == bindparam("job_id"), ',
        "tests/app/jobs/test_endpoints.py",
    ),
)


def _run(copy: Path, test: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
        cwd=copy, env=os.environ | {"PYTHONPATH": str(copy), **_SHORT},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_40_a_guard_that_is_off_is_noticed(mutation: Mutation, tmp_path: Path, say: Say) -> None:
    for name in _COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, tmp_path / name)
    file = tmp_path / mutation.file
    text = file.read_text()
    assert text.count(mutation.original) == 1
    file.write_text(text.replace(mutation.original, mutation.mutated))
    done = _run(tmp_path, mutation.watched_by)
    assert done.returncode == _TESTS_FAILED, done.stdout[-3000:]
    say(f"40: without {mutation.guard}, {mutation.watched_by.split('::')[-1]} goes red")
