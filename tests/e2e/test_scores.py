"""Uploaded probabilities through the real program, over HTTP and by the command."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.labelaudit.program import run_program
from tests.support.service import Service
from tests.worker.stages.score.making import plant, write_npz

PLANTED = plant(240)
WRONG = set(map(str, np.flatnonzero(PLANTED.is_wrong).tolist()))


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    arrays = {"pred_probs": PLANTED.prob.astype(np.float32), "given_label": PLANTED.label}
    return write_npz(tmp_path / "oof.npz", arrays)


def upload(service: Service, file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        reply = service.http.post("/v1/scores", files={"file": stream})
    assert reply.status_code == 202
    return service.wait(reply.json()["job_id"], seconds=120)


def test_rows_become_findings(service: Service, scores: Path) -> None:
    job = upload(service, scores)
    assert (job["state"], job["kind"], job["attempt"]) == ("succeeded", "score", 1)
    rows = service.findings(job["id"], limit=100)
    assert [row["rank"] for row in rows] == list(range(1, 241))
    assert {row["path"] for row in rows if row["flagged"]} == WRONG
    report = service.http.get(f"/v1/jobs/{job['id']}/report").json()
    assert report["num_flagged"] == len(WRONG)
    assert '"succeeded"' in service.events(job["id"])
    assert service.http.delete(f"/v1/datasets/{job['dataset_id']}").status_code == 204


def test_a_wrong_row_ends_the_job_with_its_number(service: Service, tmp_path: Path) -> None:
    prob = PLANTED.prob.copy()
    prob[17] *= 0.93
    file = write_npz(tmp_path / "bad.npz", {"pred_probs": prob, "given_label": PLANTED.label})
    job = upload(service, file)
    assert job["state"] == "failed"
    detail = "row 17 of pred_probs sums to 0.93, not to 1"
    assert job["error"] == {"code": "invalid_scores", "detail": detail}


def test_the_command_starts_a_service_of_its_own(scores: Path) -> None:
    done = run_program("score", scores, folder=scores.parent)
    assert done.returncode == 0, done.stderr
    out = scores.parent / "labelaudit-out"
    with (out / "findings.csv").open() as file:
        flagged = {row["path"] for row in csv.DictReader(file) if row["flagged"] == "true"}
    assert flagged == WRONG
    assert json.loads((out / "report.json").read_text())["num_samples"] == 240
