"""One picture in two class folders, from the upload to the page that shows both, through the real
program.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.labelaudit.program import run_program
from tests.support.archives import encode_png, write_tiny_zip
from tests.support.service import Service
from tests.support.tiny import tiny_images

TORN = {"set/red/same.png", "set/blue/same.png"}
AUDIT = {"preset": "standard", "epochs": 4, "seed": 0}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three colours; one red picture lies in the folder of the blue ones as well."""
    target = tmp_path_factory.mktemp("torn") / "torn.zip"
    picture = encode_png(tiny_images(1, seed=9)[0][0])
    write_tiny_zip(target, num_train=120, extra=dict.fromkeys(TORN, picture))
    return target


@pytest.fixture(scope="module")
def job(service: Service, archive: Path) -> dict[str, Any]:
    started = service.upload(archive, audit=json.dumps(AUDIT)).json()
    job: dict[str, Any] = service.wait(started["job_id"], seconds=300)
    assert job["state"] == "succeeded", job
    return job


def test_is_a_verdict_before_everything_else(service: Service, job: dict[str, Any]) -> None:
    findings = service.findings(job["id"], limit=50)
    assert {row["path"] for row in findings[:2]} == TORN
    assert [row["rank"] for row in findings] == list(range(1, 123))
    for row, other in zip(findings[:2], reversed(findings[:2]), strict=True):
        assert (row["verdict"], row["flagged"]) == ("conflict", True)
        assert row["suggested_label"] == other["given_label"]
    listed = service.http.get(f"/v1/jobs/{job['id']}/samples", params={"verdict": "conflict"})
    assert [row["rank"] for row in listed.json()["items"]] == [1, 2]
    report = service.http.get(f"/v1/jobs/{job['id']}/report").json()
    assert report["verdicts"]["conflict"] == 2
    assert report["num_flagged"] == sum(row["flagged"] for row in findings)


def test_the_pages_show_both(service: Service, job: dict[str, Any]) -> None:
    first, second = service.findings(job["id"], limit=50)[:2]
    queue = service.http.get(f"/jobs/{job['id']}/review?verdict=conflict").text
    for row in (first, second):
        assert f'id="tile-{row["sample_id"]}"' in queue
    assert queue.count("Same picture:") == 2
    page = service.http.get(f"/jobs/{job['id']}/samples/{first['sample_id']}").text
    card = page.partition("The same picture again")[2].partition("</section>")[0]
    assert f"/jobs/{job['id']}/samples/{second['sample_id']}" in card
    assert second["given_label"] in card


def test_what_a_person_decided_settles_it(service: Service, job: dict[str, Any]) -> None:
    for row in service.findings(job["id"], limit=50)[:2]:
        decision = {"decision": "keep"} if row["given_label"] == "red" else {
            "decision": "relabel", "label": "red",
        }  # fmt: skip
        reply = service.http.put(
            f"/v1/samples/{row['sample_id']}/decision",
            json=decision | {"job_id": job["id"]},
            headers={"If-Match": str(f'"{row["version"]}"')},
        )
        assert reply.status_code == 200, reply.text
    again = service.http.post("/v1/jobs", json={"dataset_id": job["dataset_id"], **AUDIT}).json()
    assert service.wait(again["job_id"], seconds=300)["state"] == "succeeded"
    verdicts = {row["path"]: row["verdict"] for row in service.findings(again["job_id"], limit=50)}
    assert {verdicts[path] for path in TORN} == {"verified"}
    assert "conflict" not in verdicts.values()


def test_the_command_says_so(archive: Path, tmp_path: Path) -> None:
    done = run_program(
        "audit", archive, "--preset", "standard", "--epochs", 4, "--seed", 0, folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "2 images are certain conflicts: the same picture has several labels" in " ".join(
        done.stdout.split()
    )
    with (tmp_path / "labelaudit-out" / "findings.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows[:2]} == TORN
    assert {row["flagged"] for row in rows[:2]} == {"true"}
