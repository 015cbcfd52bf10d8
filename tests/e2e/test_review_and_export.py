"""From an upload over decisions to a file for the next tool, through the real program."""

import zipfile
from pathlib import Path

from tests.labelaudit.program import run_program
from tests.support.archives import write_tiny_zip
from tests.support.service import Service


def test_reviewed_labels_come_out_and_go_in_again(service: Service, tmp_path: Path) -> None:
    archive = tmp_path / "tiny.zip"
    write_tiny_zip(archive, num_train=24, num_test=6)
    first = service.upload(archive, audit="none").json()
    assert service.wait(first["job_id"])["state"] == "succeeded"
    dataset = f"/v1/datasets/{first['dataset_id']}"
    sample, other = service.http.get(f"{dataset}/samples").json()["items"][:2]
    for sample_id, decision in ((sample["sample_id"], "exclude"), (other["sample_id"], "keep")):
        reply = service.http.put(
            f"/v1/samples/{sample_id}/decision",
            json={"decision": decision},
            headers={"If-Match": "1"},
        )
        assert reply.status_code == 200, reply.text
    assert service.http.post(f"{dataset}/decisions/undo").json()["num_samples"] == 1

    key = service.key
    done = run_program(
        "export", first["dataset_id"], "--format", "imagefolder", "--out", "out",
        "--url", service.url, folder=tmp_path, LABELAUDIT_API_KEY=key,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out/tiny.imagefolder.zip\n"
    exported = tmp_path / "out" / "tiny.imagefolder.zip"
    with zipfile.ZipFile(exported) as content:
        assert len([name for name in content.namelist() if name.endswith(".png")]) == 29

    # The original has not changed: as given, it comes out and goes in as the same data set.
    done = run_program(
        "export", first["dataset_id"], "--format", "imagefolder", "--labels", "given",
        "--out", "given", "--url", service.url, folder=tmp_path, LABELAUDIT_API_KEY=key,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = service.upload(tmp_path / "given" / "tiny.imagefolder.zip", audit="none").json()
    assert service.wait(again["job_id"])["state"] == "succeeded"
    before, after = (
        service.http.get(f"/v1/datasets/{upload['dataset_id']}").json() for upload in (first, again)
    )
    for name in ("content_hash", "classes", "splits", "num_samples"):
        assert after[name] == before[name]


def test_options_that_make_no_sense_end_with_2(service: Service, tmp_path: Path) -> None:
    key = service.key
    done = run_program(
        "export", "nonsense", "--format", "csv", "--min-p", "7", "--url", service.url,
        folder=tmp_path, LABELAUDIT_API_KEY=key,
    )  # fmt: skip
    assert done.returncode == 2
    assert "validation_error" in done.stderr
    assert "Traceback" not in done.stderr
