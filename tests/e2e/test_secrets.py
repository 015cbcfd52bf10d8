"""A full run on PostgreSQL, Redis and S3 leaves no secret in a log or in the database."""

from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg import sql

from tests.support.stack import running_stack

PASSWORD = "dsn-pa55word"
_ROWS = sql.SQL("SELECT t::text FROM {} AS t")
S3_SECRET = "s3-Secret-Access-Key"


def _dump(url: str) -> str:
    """Return every row of every table as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        assert len(tables) > 15
        return "\n".join(
            str(connection.execute(_ROWS.format(sql.Identifier(name))).fetchall())
            for (name,) in tables
        )


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """A small file of predicted probabilities."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), size=60)
    file = tmp_path / "scores.npz"
    np.savez(file, pred_probs=probabilities, given_label=rng.integers(0, 3, size=60))
    return file


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_are_in_no_log_and_no_table(
    tmp_path: Path,
    scores: Path,
    database_url: str,
    redis_url: str,
    s3_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_SECRET)
    pepper = "pepper-of-the-hashes"
    with running_stack(
        tmp_path / "stack", "api", "cpu", "sweeper",
        database_url=database_url.replace("postgres@", f"postgres:{PASSWORD}@"),
        redis_url=redis_url.replace("redis://", f"redis://default:{PASSWORD}@"),
        LABELAUDIT_SECRET=pepper,
        LABELAUDIT_LOG_LEVEL="debug",
        LABELAUDIT_STORE_URL=s3_settings["store_url"],
        LABELAUDIT_S3_ENDPOINT=s3_settings["s3_endpoint"],
    ) as stack:  # fmt: skip
        client = stack.new_client()
        hook = client.http.post("/v1/webhooks", json={"url": "https://example.invalid/x"}).json()
        made = client.http.post("/v1/keys", json={"name": "x", "scopes": ["read"]}).json()
        with scores.open("rb") as file:
            job = client.http.post("/v1/scores", files={"file": file}).json()
        assert client.wait(job["job_id"])["state"] == "succeeded"
        client.http.get(f"/v1/jobs?cursor={made['key']}")
        client.http.get("/v1/jobs", headers={"Authorization": f"Basic {made['key']}"})
        key = client.key
        dump, logs = _dump(database_url), "".join(map(stack.log, ("api", "cpu", "sweeper")))
    secrets = {
        "key": key, "other key": made["key"], "webhook": hook["secret"], "pepper": pepper,
        "webhook, bare": hook["secret"].removeprefix("whsec_"), "DSN": PASSWORD, "S3": S3_SECRET,
    }  # fmt: skip
    assert "/v1/jobs" in logs
    assert job["job_id"] in dump
    assert [name for name, secret in secrets.items() if secret in logs] == []
    assert [name for name, secret in secrets.items() if secret in dump] == []
