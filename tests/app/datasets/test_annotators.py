"""Samples that several people labelled, over HTTP."""

import pytest
from starlette.testclient import TestClient

from app.http.context import AppContext
from app.models import Dataset, Tenant
from tests.app.walking import walk
from tests.support.factories import make_sample
from tests.support.rows import make_dataset

REPORT = {
    "num_annotators": 2,
    "num_compared": 3,
    "num_tied": 1,
    "mean_agreement": 0.75,
    "krippendorff_alpha": None,
    "annotators": [{"name": "ann", "num_labels": 3, "agreement": 0.5}],
}


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    """Alone, at one, by two of three, drawn."""
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id, ingest_report={"agreement": REPORT})
        for position, (agreement, tied) in enumerate(
            [(None, False), (1.0, False), (2 / 3, False), (0.5, True)]
        ):
            make_sample(
                session, dataset, position, annotations={"ann": "cat"}, agreement=agreement,
                tied=tied,
            )  # fmt: skip
    return dataset


def test_the_data_set_says_how_far_they_agree(client: TestClient, dataset: Dataset) -> None:
    assert client.get(f"/v1/datasets/{dataset.id}").json()["agreement"] == REPORT


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"max_agreement": 0.7}, [2, 3]),
        ({"max_agreement": 1}, [1, 2, 3]),
        ({"tied": True}, [3]),
        ({"tied": False}, [1, 2]),
        ({"tied": True, "max_agreement": 0.2}, []),
    ],
)
def test_samples_are_filtered_by_agreement(
    client: TestClient, dataset: Dataset, wanted: dict[str, object], found: list[int]
) -> None:
    rows = walk(client, f"/v1/datasets/{dataset.id}/samples", limit=1, **wanted)
    assert [int(row["path"][4:8]) for row in rows] == found
    assert all(row["annotations"] == {"ann": "cat"} for row in rows)


def test_a_share_above_one_is_refused(client: TestClient, dataset: Dataset) -> None:
    reply = client.get(f"/v1/datasets/{dataset.id}/samples", params={"max_agreement": 1.5})
    assert reply.status_code == 422
