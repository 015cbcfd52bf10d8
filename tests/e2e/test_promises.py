"""Promises of a running service, from the opening to what they allow, and one that breaks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.service import Service
from tests.worker.stages.score.making import plant, write_npz

NUM_SAMPLES = 600
PLANTED = plant(NUM_SAMPLES)
BAND = {"kind": "band", "action": "relabel", "num_checks": 22, "shares": [0.04, 0.08]}
STOP = {"kind": "stop", "target_share": 0.05, "stated_rate": 0.01}


@dataclass(frozen=True)
class Review:
    """An audit, and a reviewer who knows the right labels."""

    service: Service
    job: dict[str, Any]

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        reply = self.service.http.post(f"/v1{path}", json=body)
        assert reply.is_success, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        reply = self.service.http.get(f"/v1{path}", params=query)
        assert reply.is_success, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    def open(self, terms: dict[str, Any]) -> dict[str, Any]:
        return self.post(f"/jobs/{self.job['id']}/promises", terms)

    def answer_all(self, promise: dict[str, Any], *, errs: bool = False) -> dict[str, Any]:
        """Answer checks until the promise has ended; who errs takes every label for right."""
        path = f"/promises/{promise['id']}"
        while promise["state"] == "open":
            for check in self.get(f"{path}/checks", limit=500)["items"]:
                label = check["given_label"] if errs else right_label(check["path"])
                body = {"sample_id": check["sample_id"], "decision": "relabel", "label": label}
                promise = self.post(f"{path}/answers", body)["promise"]
                if promise["state"] != "open":
                    break
        return self.get(path)

    def num_left(self) -> int:
        """Return how many labels are wrong as they stand now."""
        rows = self.service.findings(self.job["id"], limit=500)
        return sum(
            (row["decided_label"] or row["given_label"]) != right_label(row["path"]) for row in rows
        )


def right_label(row: str) -> str:
    """Return the true class of a planted row."""
    return str(int(row) % 3)


@pytest.fixture
def review(service: Service, tmp_path: Path) -> Review:
    arrays = {"pred_probs": PLANTED.prob.astype(np.float32), "given_label": PLANTED.label}
    with write_npz(tmp_path / "oof.npz", arrays).open("rb") as stream:
        started = service.http.post("/v1/scores", files={"file": stream}).json()
    job = service.wait(started["job_id"])
    return Review(service, job)


def test_a_band_is_accepted_then_the_review_may_stop(review: Review) -> None:
    num_wrong = sum(PLANTED.is_wrong)

    band = review.answer_all(review.open(BAND))
    assert band["state"] == "kept", band["next"]
    accept = f"/promises/{band['id']}/accept"
    shown = review.post(accept, {"dry_run": True})
    done = review.post(accept, {"expected_count": shown["count"]})
    num_accepted = band["acceptable"]["num_samples"]
    assert done["count"] > 0
    assert review.num_left() <= num_wrong - num_accepted + band["acceptable"]["most_not_good"]

    for finding in review.service.findings(review.job["id"], limit=500, flagged=True):
        label = right_label(finding["path"])
        if finding["decision"] is None:
            review.service.http.put(
                f"/v1/samples/{finding['sample_id']}/decision",
                json={"decision": "relabel", "label": label},
                headers={"If-Match": f'"{finding["version"]}"'},
            ).raise_for_status()
    stop = review.answer_all(review.open(STOP))
    assert stop["state"] == "kept", stop["next"]
    assert review.num_left() <= stop["stop"]["left"]["high"] <= stop["stop"]["most_left"]
    listed = review.get(f"/jobs/{review.job['id']}/promises")["items"]
    assert listed == [stop, review.get(f"/promises/{band['id']}")]

    undone = review.post(
        f"/datasets/{review.job['dataset_id']}/decisions/undo",
        {"step_id": done["step"]["step_id"]},
    )
    assert undone["num_samples"] == done["count"]


def test_a_reviewer_who_errs_breaks_it(review: Review) -> None:
    broken = review.answer_all(review.open(BAND), errs=True)

    assert broken["state"] == "broken"
    assert "0 of 22 checks are good" in broken["next"]
    assert review.service.http.post(f"/v1/promises/{broken['id']}/accept").status_code == 409


def test_labels_that_nobody_mended_break_a_stop(review: Review) -> None:
    broken = review.answer_all(review.open(STOP | {"target_share": 0.01}))

    assert broken["state"] == "broken"
    assert broken["stop"]["left"]["low"] > broken["stop"]["most_left"]
    assert broken["next"].startswith("Broken after ")
