"""Many reviewers at once, through two API processes' worth of connections.

`LABELAUDIT_TEST_EDITS=1000` runs the full count.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.core.settings import Settings
from app.http.context import AppContext
from app.main import create_app
from app.models import Dataset, Job, Sample
from tests.app.walking import walk

NUM_EDITS = int(os.environ.get("LABELAUDIT_TEST_EDITS", "160"))
NUM_WRITERS = 8
EXPECTED = {200, 404, 409, 412}
"""Done, no such step, nothing to undo or overtaken, somebody was faster."""

State = list[tuple[Any, ...]]


@dataclass
class Reviewer:
    """Edits at random, by what it last saw, which may be out of date."""

    client: TestClient
    dataset: Dataset
    job: Job
    sample_ids: list[str]
    random: random.Random
    versions: dict[str, int] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    num_changes: int = 0

    def edit(self, times: int) -> None:
        for _ in range(times):
            action = self.random.choices(
                (self.decide, self.decide_some, self.decide_by_filter, self.revert),
                weights=(6, 1, 1, 3),
            )[0]
            reply = action()
            self.statuses[reply.status_code] += 1
            if reply.is_success:
                body = reply.json()
                self.num_changes += body.get("num_samples", body.get("count", 1))

    def decide(self) -> Response:
        sample_id = self.random.choice(self.sample_ids)
        version = self.versions.get(sample_id, 1)
        reply = self.client.put(
            f"/v1/samples/{sample_id}/decision",
            json=self._decision(),
            headers={"If-Match": f'"{version}"'},
        )
        self.versions[sample_id] = reply.json().get("version", version)
        return reply

    def decide_some(self) -> Response:
        chosen = self.random.sample(self.sample_ids, 3)
        samples = [
            {"sample_id": sample_id, "version": self.versions.get(sample_id, 1)}
            for sample_id in chosen
        ]
        reply = self.client.post(self._path, json={**self._decision(), "samples": samples})
        for conflict in reply.json().get("conflicts", []):
            self.versions[conflict["sample_id"]] = conflict["version"]
        return reply

    def decide_by_filter(self) -> Response:
        chosen = {
            "min_p": self.random.random(),
            "decision": self.random.choice(["none", "keep", "relabel", "exclude", "unsure"]),
        }
        body = {**self._decision(), "job_id": str(self.job.id), "filter": chosen}
        return self.client.post(self._path, json=body)

    def revert(self) -> Response:
        kind = self.random.choice(["undo", "undo", "redo"])
        choice = {"step_id": self.random.randint(1, 50)} if self.random.random() < 0.3 else {}
        return self.client.post(f"{self._path}/{kind}", json=choice)

    @property
    def _path(self) -> str:
        return f"/v1/datasets/{self.dataset.id}/decisions"

    def _decision(self) -> dict[str, str]:
        return self.random.choice(
            [
                {"decision": "keep"},
                {"decision": "relabel", "label": "dog"},
                {"decision": "exclude", "reason": "off_topic"},
                {"decision": "unsure"},
            ]
        )


@pytest.fixture
def reviewers(
    app: FastAPI,
    client: TestClient,
    settings: Settings,
    dataset: Dataset,
    job: Job,
    sample_ids: list[str],
) -> Iterator[list[Reviewer]]:
    """Eight reviewers, half of them at a second application on the same database."""
    with ExitStack() as stack:
        apps = [app, create_app(settings)]
        for each in apps:
            # FastAPI builds its routes when they are first looked through, and in one thread.
            TestClient(each).get("/no/such/path")
        reviewers = []
        for number in range(NUM_WRITERS):
            own = TestClient(apps[number % 2], headers=dict(client.headers))
            stack.callback(own.close)
            dice = random.Random(number)  # noqa: S311 - no secret
            reviewers.append(Reviewer(own, dataset, job, sample_ids, dice))
        yield reviewers
        apps[1].state.context.database.dispose()


def read_state(context: AppContext) -> State:
    with context.database.read() as session:
        rows = session.query(
            Sample.id, Sample.decision, Sample.decided_label, Sample.exclusion, Sample.decision_id
        ).order_by(Sample.id)
        return [tuple(row) for row in rows]


def test_random_edits_are_all_logged_and_can_all_be_undone(
    client: TestClient, context: AppContext, path: str, reviewers: list[Reviewer]
) -> None:
    start = read_state(context)
    with ThreadPoolExecutor(NUM_WRITERS) as pool:
        list(pool.map(lambda reviewer: reviewer.edit(NUM_EDITS // NUM_WRITERS), reviewers))

    statuses: Counter[int] = sum((reviewer.statuses for reviewer in reviewers), Counter())
    assert set(statuses) <= EXPECTED, statuses
    assert statuses[200] > NUM_EDITS / 4, statuses
    log = walk(client, path, limit=500)
    assert len(log) == sum(reviewer.num_changes for reviewer in reviewers)
    for sample_id in reviewers[0].sample_ids:
        entries = [entry for entry in log if entry["sample_id"] == sample_id]
        versions = [entry["version"] for entry in entries]
        assert versions == list(range(2, len(entries) + 2))
        assert all(a["to"] == b["from"] for a, b in pairwise(entries))

    while (reply := client.post(f"{path}/undo")).is_success:
        pass
    assert reply.json()["code"] == "nothing_to_revert"
    assert read_state(context) == start
