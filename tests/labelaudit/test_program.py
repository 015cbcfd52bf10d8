import importlib.util
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import labelaudit
from app.core.clock import utc_now
from app.core.db import Database
from app.core.settings import Settings
from app.models import JobState
from labelaudit import doctor
from tests.labelaudit.program import environment, run_program
from tests.support.rows import add_late_message, make_dataset, make_job, make_tenant

SERVER = ("app", "worker", "ml", "torch", "numpy", "fastapi", "sqlalchemy", "pydantic", "typer")
HEAVY = ("torch", "numpy", "fastapi", "sqlalchemy", "httpx2", "PIL", "rich", "pydantic", "celery")
ASK = """
import sys
from labelaudit.cli import main
sys.argv = ["labelaudit", "--help"]
try:
    main()
finally:
    print([name for name in sys.argv_heavy if name in sys.modules], file=sys.stderr)
"""


def test_help_loads_nothing_heavy() -> None:
    code = ASK.replace("sys.argv_heavy", repr(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert "audit" in done.stdout
    assert done.stderr == "[]\n"


def test_version_is_told(tmp_path: Path) -> None:
    done = run_program("--version", folder=tmp_path)
    assert (done.returncode, done.stdout.split()[0]) == (0, "labelaudit")


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit",),
        ("audit", ".", "--epochs", "many"),
        ("no-such-command",),
        ("worker", "--queue", "tpu"),
        ("keys", "create", "--name", "x", "--scope", "everything"),
        ("keys", "create", "--name", "x"),
    ],
)
def test_wrong_usage_ends_with_2_and_no_traceback(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run_program(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


@pytest.mark.parametrize(
    ("arguments", "option", "known"),
    [
        (("audit", ".", "--preset", "fast"), "--preset", "'quick'"),
        (("audit", ".", "--method", "magic"), "--method", "'m-dyr-h'"),
        (("audit", ".", "--epochs", "0"), "--epochs", "1"),
        (("export", "d", "--format", "xls"), "--format", "'imagefolder'"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_known_before_anything_starts(
    tmp_path: Path, arguments: tuple[str, ...], option: str, known: str
) -> None:
    done = run_program(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert option in done.stderr
    assert known in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_names_methods_and_signals(tmp_path: Path) -> None:
    told = run_program("audit", "--help", folder=tmp_path).stdout
    assert "m-dyr-h" in told
    assert "neighbour_agreement" in told


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = run_program("db", "upgrade", folder=tmp_path, LABELAUDIT_PORT="many")
    assert done.returncode == 2
    assert done.stderr.startswith("error: LABELAUDIT_PORT: ")


def test_the_client_is_what_the_package_offers() -> None:
    code = "import labelaudit, sys; assert labelaudit.Client; labelaudit.Nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "AttributeError: module 'labelaudit' has no attribute 'Nothing'" in done.stderr


def test_consoles_complete_what_the_package_offers() -> None:
    assert {"AsyncClient", "Client", "__version__"} <= set(dir(labelaudit))
    assert labelaudit.__version__.count(".") == 2


def test_the_client_loads_nothing_of_the_server() -> None:
    code = "import labelaudit, sys; labelaudit.Client; "
    code += f"print([name for name in {SERVER} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


class TestKeys:
    def test_are_made_listed_and_revoked(self, tmp_path: Path) -> None:
        assert run_program("db", "upgrade", folder=tmp_path).returncode == 0
        made = run_program(
            "keys", "create", "--name", "ci", "--scope", "read", "--expires-days", "3",
            folder=tmp_path,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        key = made.stdout.strip()
        key_id = key.split("_")[2]
        listed = run_program("keys", "list", folder=tmp_path, COLUMNS="200")
        assert key_id in listed.stdout
        assert key not in listed.stdout
        assert run_program("keys", "revoke", key_id, folder=tmp_path).returncode == 0

    def test_an_unknown_one_cannot_be_revoked(self, tmp_path: Path) -> None:
        run_program("db", "upgrade", folder=tmp_path)
        done = run_program("keys", "revoke", "nobody", folder=tmp_path)
        assert (done.returncode, "(not_found)" in done.stderr) == (2, True)

    def test_need_a_database(self, tmp_path: Path) -> None:
        done = run_program("keys", "list", folder=tmp_path)
        assert done.returncode == 1
        assert "labelaudit db upgrade" in done.stderr
        assert "Traceback" not in done.stderr


class TestDoctor:
    def test_finds_nothing_wrong_on_a_good_machine(self, tmp_path: Path) -> None:
        done = run_program("doctor", folder=tmp_path)
        assert done.returncode == 0, done.stdout
        assert "torch" in done.stdout
        assert not list(tmp_path.iterdir())

    def test_tells_what_to_do(self, tmp_path: Path) -> None:
        (tmp_path / "blocked").write_text("a file")
        settings = Settings.model_validate(
            {
                "data_dir": tmp_path / "blocked",
                "database_url": "postgresql://user:hidden@127.0.0.1:9/x",
                "redis_url": "redis://:hidden@127.0.0.1:9/0",
            }
        )
        looks = (doctor._look_at_folder, doctor._look_at_database, doctor._look_at_broker)
        for look in looks:
            check = look(settings)
            assert check.fix
            assert "hidden" not in check.state

    def test_asks_for_the_newest_schema(self, tmp_path: Path) -> None:
        settings = Settings.model_validate({"database_url": f"sqlite:///{tmp_path / 'old.db'}"})
        assert doctor._look_at_database(settings).fix == "labelaudit db upgrade"

    def test_misses_the_worker_that_jobs_wait_for(
        self, database: Database, settings: Settings
    ) -> None:
        assert not doctor._look_at_jobs(settings).fix
        with database.unit_of_work() as session:
            dataset = make_dataset(session, make_tenant(session).id)
            make_job(session, dataset, queued_at=utc_now() - timedelta(hours=1))
        assert doctor._look_at_jobs(settings).fix == "start `labelaudit worker --queue gpu`"

    def test_misses_the_sweeper(self, database: Database, settings: Settings) -> None:
        with database.unit_of_work() as session:
            dataset = make_dataset(session, make_tenant(session).id)
            make_job(session, dataset, state=JobState.RUNNING, owner="x", lease_until=1.0)
        assert doctor._look_at_jobs(settings).fix == "start `labelaudit sweeper`"

    def test_misses_whoever_sends_messages_to_receivers(
        self, database: Database, settings: Settings
    ) -> None:
        assert not doctor._look_at_webhooks(settings).fix
        with database.unit_of_work() as session:
            tenant_id = make_tenant(session).id
        add_late_message(database, tenant_id, seconds=3600)
        assert "labelaudit sweeper" in doctor._look_at_webhooks(settings).fix

    def test_misses_torch_only_where_something_trains(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
        alone = Settings(data_dir=tmp_path)
        beside_others = Settings.model_validate({"redis_url": "redis://127.0.0.1:9/0"})
        assert doctor._look_at_torch(alone).fix
        assert not doctor._look_at_torch(beside_others).fix

    def test_looks_at_a_store_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "blocked").write_text("a file")
        settings = Settings(store_url=f"file://{tmp_path / 'blocked'}")
        assert "LABELAUDIT_STORE_URL" in doctor._look_at_store(settings).fix

    def test_a_problem_makes_it_fail(self, tmp_path: Path) -> None:
        done = run_program("doctor", folder=tmp_path, LABELAUDIT_REDIS_URL="redis://127.0.0.1:9")
        problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
        assert (done.returncode, len(problems)) == (1, 1)
