"""The container files, as far as they can be checked without containers."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from app.core.settings import Settings
from labelaudit.cli import app

ROOT = Path(__file__).resolve().parent.parent
OURS = ("api", "worker-gpu", "worker-cpu", "sweeper", "migrate")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    parsed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services: dict[str, dict[str, Any]] = parsed["services"]
    return services


class TestCompose:
    def test_has_every_process_and_both_servers(self, services: dict[str, Any]) -> None:
        assert set(services) == {*OURS, "postgres", "redis", "s3"}

    def test_has_a_store_of_its_own_only_where_that_is_asked_for(
        self, services: dict[str, Any]
    ) -> None:
        assert services["s3"]["profiles"] == ["s3"]
        assert all("profiles" not in services[name] for name in set(services) - {"s3"})

    def test_gives_settings_that_exist(self, services: dict[str, Any]) -> None:
        known = {f"LABELAUDIT_{name.upper()}" for name in Settings.model_fields}
        for name in OURS:
            given = {key for key in services[name]["environment"] if not key.startswith("AWS_")}
            assert given <= known

    @pytest.mark.parametrize("name", OURS)
    def test_runs_commands_that_exist(self, services: dict[str, Any], name: str) -> None:
        result = CliRunner().invoke(app, [*services[name]["command"], "--help"])
        assert result.exit_code == 0

    def test_starts_nothing_before_its_servers_answer_and_the_tables_are_there(
        self, services: dict[str, Any]
    ) -> None:
        for name in set(OURS) - {"migrate"}:
            assert {
                key: value["condition"] for key, value in services[name]["depends_on"].items()
            } == {
                "migrate": "service_completed_successfully",
                "postgres": "service_healthy",
                "redis": "service_healthy",
                "s3": "service_healthy",
            }
            assert services[name]["depends_on"]["s3"]["required"] is False
        for name in ("api", "postgres", "redis", "s3"):
            assert services[name]["healthcheck"]["test"]

    @pytest.mark.parametrize("name", ["worker-gpu", "worker-cpu"])
    def test_asks_each_worker_about_its_own_queue(
        self, services: dict[str, Any], name: str
    ) -> None:
        _, program, *arguments = services[name]["healthcheck"]["test"]
        assert program == "labelaudit"
        assert arguments == [*services[name]["command"], "--check"]

    def test_has_no_password_of_its_own(self, services: dict[str, Any]) -> None:
        text = (ROOT / "docker-compose.yml").read_text()
        secrets = re.findall(r"(?:PASSWORD|SECRET): (.*)", text)
        demanded = [secret for secret in secrets if re.fullmatch(r"\$\{\w+:\?.+\}", secret)]
        # Demanded by the shell instead, only where the profile starts it.
        assert set(secrets) - set(demanded) == {"${AWS_SECRET_ACCESS_KEY:-}"}
        assert "$${MINIO_ROOT_PASSWORD:?" in services["s3"]["entrypoint"][2]

    def test_builds_targets_that_the_dockerfile_has(self, services: dict[str, Any]) -> None:
        stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert {services[name]["build"]["target"] for name in OURS} <= set(stages)

    @pytest.mark.parametrize("name", OURS)
    def test_can_write_nothing_but_its_data(self, services: dict[str, Any], name: str) -> None:
        service = services[name]
        assert service["read_only"] is True
        assert "/tmp" in service["tmpfs"]  # noqa: S108 - inside the container
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


class TestDockerfile:
    @pytest.mark.parametrize("stage", ["api", "worker"])
    def test_does_not_run_as_root(self, stage: str) -> None:
        text = (ROOT / "Dockerfile").read_text()
        block = text.split(f"AS {stage}\n")[1].split("\nFROM")[0]
        assert "USER labelaudit" in block

    def test_copies_all_that_the_package_is_made_of(self) -> None:
        allowed = (ROOT / ".dockerignore").read_text().split()
        for package in ("app", "labelaudit", "migrations", "ml", "worker", "docker"):
            assert f"!{package}" in allowed
