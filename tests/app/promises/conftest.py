"""An audited set of which a reviewer's eye takes the worst labels for wrong, and answers checks."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.core.ids import format_sample_id
from app.http.context import AppContext
from tests.app.conftest import MakeClient
from tests.support.learning import CLASSES, Audited, make_audited

NUM_SAMPLES = 400
NUM_WRONG = 100
"""The worst ones by rank: of these the suggestion is right, of the others the given label."""


@dataclass
class Reviewer:
    """Whoever answers checks as they see the samples; the worst `num_wrong` are wrong to them."""

    client: TestClient
    audited: Audited
    num_wrong: int = NUM_WRONG
    seen: list[str] = field(default_factory=list)

    def open(self, kind: str, **terms: Any) -> dict[str, Any]:
        reply = self.client.post(
            f"/v1/jobs/{self.audited.job_id}/promises", json={"kind": kind, **terms}
        )
        assert reply.status_code == 201, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def read(self, promise: dict[str, Any]) -> dict[str, Any]:
        reply = self.client.get(f"/v1/promises/{promise['id']}")
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def checks(self, promise: dict[str, Any]) -> list[dict[str, Any]]:
        reply = self.client.get(f"/v1/promises/{promise['id']}/checks", params={"limit": 500})
        assert reply.status_code == 200, reply.text
        items: list[dict[str, Any]] = reply.json()["items"]
        return items

    def place(self, sample_id: str) -> int:
        """Return a sample's place in the ranked list, from 0."""
        return [format_sample_id(number) for number in self.audited.sample_ids].index(sample_id)

    def see(self, check: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a check."""
        if self.place(check["sample_id"]) >= self.num_wrong:
            return {"decision": "keep"}
        return {"decision": "relabel", "label": other(check["given_label"])}

    def answer(
        self, promise: dict[str, Any], check: dict[str, Any], **answer: Any
    ) -> dict[str, Any]:
        reply = self.client.post(
            f"/v1/promises/{promise['id']}/answers",
            json={"sample_id": check["sample_id"], **(answer or self.see(check))},
        )
        assert reply.status_code == 200, reply.text
        self.seen.append(check["sample_id"])
        body: dict[str, Any] = reply.json()
        return body

    def answer_all(self, promise: dict[str, Any]) -> dict[str, Any]:
        """Answer what is asked until the promise has ended."""
        now = self.read(promise)
        while now["state"] == "open":
            for check in self.checks(promise):
                now = self.answer(promise, check)["promise"]
                if now["state"] != "open":
                    break
        return now

    def decide(self, place: int, *, path: str = "keep") -> None:
        """Decide in the queue, outside all checks."""
        sample_id = format_sample_id(self.audited.sample_ids[place])
        sample = self.client.get(f"/v1/samples/{sample_id}").json()
        body: dict[str, Any] = {"decision": path, "job_id": str(self.audited.job_id)}
        if path == "relabel":
            body["label"] = other(sample["given_label"])
        headers = {"If-Match": f'"{sample["version"]}"'}
        self.client.put(
            f"/v1/samples/{sample_id}/decision", json=body, headers=headers
        ).raise_for_status()


def other(label: str) -> str:
    return CLASSES[1 - CLASSES.index(label)]


@pytest.fixture
def audited(context: AppContext) -> Audited:
    return make_audited(context.database, context.settings, num=NUM_SAMPLES)


@pytest.fixture
def reviewer(make_client: MakeClient, audited: Audited) -> Reviewer:
    scopes: Collection[Scope] = [Scope.READ, Scope.REVIEW]
    return Reviewer(make_client(audited.tenant_id, scopes), audited)
