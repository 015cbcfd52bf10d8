"""The first wall: whoever asks a repository says whose rows are wanted."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
MODULES = sorted(
    ".".join(("app", *path.relative_to(APP).with_suffix("").parts))
    for path in APP.glob("*/*repository.py")
)
SYSTEM_WIDE = {
    "app.accounts.repository.TenantRepository": "tenants are what it is about",
    "app.accounts.repository.KeyLookup": "who calls is known only after it",
    "app.accounts.repository.SessionRepository": "as KeyLookup, for browsers",
    "app.jobs.lease_repository.AttemptRepository.start": "the job protocol, for the job's owner",
    "app.jobs.lease_repository.AttemptRepository.set_stage": "the same",
    "app.jobs.lease_repository.AttemptRepository.keep_log": "the same",
    "app.jobs.lease_repository.AttemptRepository.end": "the same",
    "app.jobs.lease_repository.AttemptRepository.totals": "metrics of the whole service",
    "app.jobs.lease_repository.EventRepository": "takes the tenant from the job that it is given",
    "app.jobs.repository.FolderRepository": "all tenants' files lie in the same folders",
    "app.jobs.repository.GaugeRepository": "metrics of the whole service",
    "app.accounts.repository.remove_keys_before": "the sweeper",
    "app.datasets.removal_repository.find_unfinished": "the sweeper",
    "app.datasets.removal_repository.remove_result_rows": "a version is of one tenant",
    "app.findings.repository.KeyRepository": "public keys of the service, for anybody",
    "app.findings.publish_repository.remove_superseded_before": "the sweeper",
    "app.jobs.lease_repository.LeaseRepository": "workers and the sweeper serve all tenants",
    "app.jobs.repository.TurnRepository.turns": "how long others' queues are, no more",
    "app.uploads.repository.UploadSweep": "the sweeper",
    "app.webhooks.repository.OutboxRepository": "one process delivers for all tenants",
}
"""What asks for no tenant, each with its reason. Think twice before you add to it."""
HOW_TO = "take `tenant_id` (of the constructor or of the function), or give a reason in SYSTEM_WIDE"


def _own(module: Any, kind: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    for name, thing in inspect.getmembers(module, kind):
        if thing.__module__ == module.__name__ and not name.startswith("_"):
            yield f"{module.__name__}.{name}", thing


def _requires_tenant(function: Callable[..., Any]) -> bool:
    parameter = inspect.signature(function).parameters.get("tenant_id")
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _functions(module_name: str) -> Iterator[tuple[str, bool]]:
    """Yield the name of each public function or method, and whether it must know the tenant."""
    module = importlib.import_module(module_name)
    for name, function in _own(module, inspect.isfunction):
        yield name, _requires_tenant(function)
    for name, cls in _own(module, inspect.isclass):
        if issubclass(cls, Exception) or "session" not in inspect.signature(cls).parameters:
            continue  # no repository
        of_one_tenant = _requires_tenant(cls)
        for method_name, method in inspect.getmembers(cls, inspect.isfunction):
            if not method_name.startswith("_"):
                yield f"{name}.{method_name}", of_one_tenant or _requires_tenant(method)


@pytest.mark.parametrize("module", MODULES)
def test_every_function_of_a_repository_is_told_the_tenant(module: str) -> None:
    for name, knows_tenant in _functions(module):
        excused = name in SYSTEM_WIDE or name.rpartition(".")[0] in SYSTEM_WIDE
        assert knows_tenant or excused, f"{name}: {HOW_TO}"


def test_every_excuse_is_needed() -> None:
    names = [name for module in MODULES for name, knows in _functions(module) if not knows]
    for excuse in SYSTEM_WIDE:
        assert any(name == excuse or name.startswith(f"{excuse}.") for name in names), excuse


def test_requests_work_behind_the_second_wall() -> None:
    """`context.database` sees all tenants: `context.tenant_database(…)` is for requests."""
    may = {
        "accounts/auth.py", "accounts/idempotency.py", "accounts/tenant_routes.py",
        "findings/artifact_routes.py", "http/deps.py", "http/context.py", "http/health.py",
        "main.py", "web/pages/sign_in.py",
    }  # fmt: skip
    for path in APP.rglob("*.py"):
        if path.relative_to(APP).as_posix() not in may:
            assert "context.database" not in path.read_text(), path
