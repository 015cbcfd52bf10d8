from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.ids import format_sample_id
from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import Dataset, DatasetState, DuplicateKind, Sample, Split, Tenant
from tests.app.walking import walk
from tests.support.factories import make_rejected, make_sample, make_samples
from tests.support.rows import make_dataset

PNG = b"\x89PNG fake"
NUM_SAMPLES = 7


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id, splits={"train": NUM_SAMPLES})
        make_samples(session, dataset, NUM_SAMPLES)
        make_rejected(session, dataset, 5)
    return dataset


@pytest.fixture
def blobs(context: AppContext, tenant: Tenant) -> BlobStore:
    return BlobStore(context.folder.blobs(tenant.id))


def add_sample(context: AppContext, dataset: Dataset, **values: object) -> Sample:
    with context.database.unit_of_work() as session:
        return make_sample(session, dataset, NUM_SAMPLES, **values)


class TestListDatasets:
    def test_pages_each_once_newest_first(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            made = [str(make_dataset(session, tenant.id).id) for _ in range(5)]
        for limit in (1, 2, 5, 6):
            listed = [item["id"] for item in walk(client, "/v1/datasets", limit=limit)]
            assert listed == made[::-1]

    def test_shows_nothing_to_others(self, stranger: TestClient, dataset: Dataset) -> None:
        assert dataset.id
        assert walk(stranger, "/v1/datasets") == []


class TestGetDataset:
    def test_shows_what_the_ingest_of_an_older_release_found(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        group = {"sha256": "ab", "paths": ["a", "b"], "labels": ["cat", "dog"], "conflicting": True}
        report = {"warnings": ["one class is rare"], "duplicates": [group], "more": 1}
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, ingest_report=report, image_size=32)
        shown = client.get(f"/v1/datasets/{dataset.id}").json()
        assert shown == {
            "id": str(dataset.id),
            "parent_id": None,
            "version": 1,
            "name": "pets",
            "state": "ready",
            "num_samples": 0,
            "num_rejected": 0,
            "num_duplicates": 0,
            "classes": ["cat", "dog"],
            "splits": {},
            "content_hash": None,
            "image_size": 32,
            "upload": {"name": "pets.zip", "sha256": "0" * 64, "num_bytes": 1},
            "created_at": shown["created_at"],
            "num_near_duplicates": 0,
            "num_conflicting": 0,
            "num_leaking": 0,
            "warnings": ["one class is rare"],
            "agreement": None,
            "duplicates": [
                group | {"group": None, "kind": "exact", "num_samples": 2, "leaking": False}
            ],
        }

    def test_of_another_tenant_is_unknown(self, stranger: TestClient, dataset: Dataset) -> None:
        foreign = stranger.get(f"/v1/datasets/{dataset.id}")
        unknown = stranger.get(f"/v1/datasets/{dataset.id.hex}")
        assert foreign.status_code == 404
        assert foreign.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}


class TestListSamples:
    def test_pages_each_once_by_position(self, client: TestClient, dataset: Dataset) -> None:
        items = walk(client, f"/v1/datasets/{dataset.id}/samples", limit=3)
        paths = [item["path"] for item in items]
        assert len(set(paths)) == NUM_SAMPLES
        assert [int(Path(path).stem) for path in paths] == list(range(NUM_SAMPLES))

    def test_filters_by_split_and_label(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        test_sample = add_sample(context, dataset, split=Split.TEST)
        path = f"/v1/datasets/{dataset.id}/samples"
        assert [item["sample_id"] for item in walk(client, path, split="test")] == [
            format_sample_id(test_sample.id)
        ]
        cats = walk(client, path, label="cat", limit=2)
        assert len(cats) == 4
        assert {item["given_label"] for item in cats} == {"cat"}
        assert walk(client, path, label="no such class") == []
        assert client.get(path, params={"split": "both"}).status_code == 422

    def test_cursor_of_another_filter_is_refused(
        self, client: TestClient, dataset: Dataset
    ) -> None:
        path = f"/v1/datasets/{dataset.id}/samples"
        cursor = client.get(path, params={"limit": 1}).json()["next_cursor"]
        reply = client.get(path, params={"limit": 1, "cursor": cursor, "label": "cat"})
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")

    @pytest.mark.parametrize("state", [DatasetState.PENDING, DatasetState.FAILED])
    def test_waits_for_ingest(
        self, client: TestClient, context: AppContext, tenant: Tenant, state: DatasetState
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, state=state)
        reply = client.get(f"/v1/datasets/{dataset.id}/samples")
        assert (reply.status_code, reply.json()["code"]) == (409, "dataset_not_ready")

    def test_of_another_tenant_is_unknown(self, stranger: TestClient, dataset: Dataset) -> None:
        for name in ("samples", "rejected"):
            assert stranger.get(f"/v1/datasets/{dataset.id}/{name}").status_code == 404


class TestDuplicates:
    @pytest.fixture
    def copies(self, context: AppContext, tenant: Tenant) -> Dataset:
        """Samples 0 and 1 are equal; 2 and 3 look alike, in two splits; 4 stands alone."""
        notes: list[dict[str, Any]] = [
            {"duplicate_group": 0, "duplicate_kind": DuplicateKind.EXACT, "conflicting": True},
            {"duplicate_group": 0, "duplicate_kind": DuplicateKind.EXACT, "conflicting": True},
            {"duplicate_group": 2, "duplicate_kind": DuplicateKind.NEAR, "leaking": True},
            {"duplicate_group": 2, "duplicate_kind": DuplicateKind.NEAR, "leaking": True},
            {},
        ]
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            for position, values in enumerate(notes):
                make_sample(session, dataset, position, **values)
        return dataset

    @pytest.mark.parametrize(
        ("wanted", "positions"),
        [
            ("any", [0, 1, 2, 3]),
            ("exact", [0, 1]),
            ("near", [2, 3]),
            ("conflicting", [0, 1]),
            ("leaking", [2, 3]),
        ],
    )
    def test_filter_samples(
        self, client: TestClient, copies: Dataset, wanted: str, positions: list[int]
    ) -> None:
        path = f"/v1/datasets/{copies.id}/samples"
        found = walk(client, path, duplicates=wanted, limit=1)
        assert [int(row["path"][4:8]) for row in found] == positions

    def test_are_told_of_each_sample(self, client: TestClient, copies: Dataset) -> None:
        rows = walk(client, f"/v1/datasets/{copies.id}/samples")
        told = [row["duplicates"] for row in rows]
        assert told[3] == {"group": 2, "kind": "near", "conflicting": False, "leaking": True}
        assert told[4] is None

    def test_of_another_kind_are_no_filter(self, client: TestClient, copies: Dataset) -> None:
        reply = client.get(f"/v1/datasets/{copies.id}/samples", params={"duplicates": "all"})
        assert (reply.status_code, reply.json()["code"]) == (422, "validation_error")


class TestListRejected:
    def test_pages_each_once(self, client: TestClient, dataset: Dataset) -> None:
        items = walk(client, f"/v1/datasets/{dataset.id}/rejected", limit=2)
        assert [item["path"] for item in items] == [f"cat/{number}.txt" for number in range(5)]
        assert items[0] == {
            "path": "cat/0.txt",
            "code": "not_an_image",
            "detail": "This is no image.",
        }


class TestGetSample:
    def test_shows_the_class_by_name(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        sample = add_sample(context, dataset, path="dog/ä.png", given_label=1, sha256="5" * 64)
        assert client.get(f"/v1/samples/{format_sample_id(sample.id)}").json() == {
            "sample_id": format_sample_id(sample.id),
            "dataset_id": str(dataset.id),
            "path": "dog/ä.png",
            "split": "train",
            "given_label": "dog",
            "width": 8,
            "height": 8,
            "media_type": "image/png",
            "sha256": "5" * 64,
            "duplicates": None,
            "annotations": None,
            "agreement": None,
            "tied": False,
            "decision": None,
            "decided_label": None,
            "exclusion": None,
            "version": 1,
        }

    def test_of_another_tenant_is_unknown(
        self, stranger: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        sample = add_sample(context, dataset)
        for end in ("", "/image"):
            path = f"/v1/samples/{format_sample_id(sample.id)}{end}"
            assert stranger.get(path).status_code == 404


class TestGetImage:
    def test_is_served_so_that_a_browser_sees_only_a_picture(
        self, client: TestClient, context: AppContext, dataset: Dataset, blobs: BlobStore
    ) -> None:
        sha256 = blobs.put(PNG)
        sample = add_sample(context, dataset, sha256=sha256, path='cat/"ä\n".png')
        reply = client.get(f"/v1/samples/{format_sample_id(sample.id)}/image")
        assert reply.content == PNG
        assert reply.headers["content-type"] == "image/png"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert reply.headers["content-disposition"].startswith("inline; filename*=utf-8''%22")
        assert reply.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert reply.headers["etag"] == f'"{sha256}"'

    def test_is_not_sent_again_to_whoever_has_it(
        self, client: TestClient, context: AppContext, dataset: Dataset, blobs: BlobStore
    ) -> None:
        sha256 = blobs.put(PNG)
        sample = add_sample(context, dataset, sha256=sha256)
        path = f"/v1/samples/{format_sample_id(sample.id)}/image"
        for tags in (f'"{sha256}"', f'"x", W/"{sha256}"', "*"):
            reply = client.get(path, headers={"If-None-Match": tags})
            assert (reply.status_code, reply.content) == (304, b"")
        assert client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200

    def test_thumb_is_the_image_itself_where_that_is_small(
        self, client: TestClient, context: AppContext, dataset: Dataset, blobs: BlobStore
    ) -> None:
        full, thumb = blobs.put(PNG), blobs.put(b"RIFF fake")
        small = add_sample(context, dataset, sha256=full)
        path = f"/v1/samples/{format_sample_id(small.id)}/image"
        assert client.get(path, params={"size": "thumb"}).content == PNG
        with context.database.unit_of_work() as session:
            large = make_sample(session, dataset, 99, sha256=full, thumb_sha256=thumb)
        path = f"/v1/samples/{format_sample_id(large.id)}/image"
        reply = client.get(path, params={"size": "thumb"})
        assert (reply.content, reply.headers["content-type"]) == (b"RIFF fake", "image/webp")
        assert client.get(path, params={"size": "full"}).content == PNG
        assert client.get(path, params={"size": "huge"}).status_code == 422
