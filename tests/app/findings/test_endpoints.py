from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import Job, JobKind, JobState, Tenant
from tests.app.walking import walk
from tests.support.factories import make_artifact, make_sample, make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

NUM_SAMPLES = 11
MODEL = bytes(range(256)) * 1000


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    """A succeeded audit of eleven samples."""
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        job = make_job(session, dataset)
        samples = make_samples(session, dataset, NUM_SAMPLES)
        samples[0].decision, samples[0].version = "keep", 2
        publish_findings(session, job, samples)
    return job


@pytest.fixture
def path(job: Job) -> str:
    return f"/v1/jobs/{job.id}/samples"


class TestListFindings:
    def test_without_filters_gives_each_sample_once_worst_first(
        self, client: TestClient, path: str
    ) -> None:
        items = walk(client, path)
        assert [item["rank"] for item in items] == list(range(1, NUM_SAMPLES + 1))
        assert len({item["sample_id"] for item in items}) == NUM_SAMPLES
        for limit in (1, 4, NUM_SAMPLES, 500):
            assert walk(client, path, limit=limit) == items
        judged = [item["p_mislabeled"] for item in items[:-1]]
        assert judged == sorted(judged, reverse=True)
        assert (items[-1]["p_mislabeled"], items[-1]["p_clean"]) == (None, None)

    def test_shows_names_and_both_probabilities(self, client: TestClient, path: str) -> None:
        first, second = walk(client, path)[:2]
        assert first == {
            "sample_id": first["sample_id"],
            "path": "cat/0000.png",
            "given_label": "cat",
            "suggested_label": "dog",
            "suggested_confidence": 0.75,
            "p_mislabeled": 1.0,
            "p_uncalibrated": None,
            "p_clean": 0.0,
            "flagged": True,
            "sure": True,
            "rank": 1,
            "loss": 0.0,
            "signals": {"posterior": 0.0},
            "likely_classes": [{"label": "cat", "probability": 0.2}],
            "verdict": "mislabeled",
            "decision": "keep",
            "decided_label": None,
            "exclusion": None,
            "version": 2,
            "has_image": True,
        }
        assert second["p_clean"] == 1.0 - second["p_mislabeled"]
        assert client.get(f"/v1/samples/{first['sample_id']}").json()["path"] == first["path"]

    @pytest.mark.parametrize("sort", ["-p_mislabeled", "p_mislabeled", "-loss", "loss"])
    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_pages_each_once_in_every_order(
        self, client: TestClient, path: str, sort: str, limit: int
    ) -> None:
        items = walk(client, path, sort=sort, limit=limit)
        assert len({item["sample_id"] for item in items}) == len(items) == NUM_SAMPLES
        name = "loss" if "loss" in sort else "rank"
        values = [item[name] for item in items]
        assert values == sorted(values, reverse=sort in {"-loss", "p_mislabeled"})

    @pytest.mark.parametrize(
        ("params", "ranks"),
        [
            ({"flagged": "true"}, [1, 3, 5, 7, 9, 11]),
            ({"flagged": "false"}, [2, 4, 6, 8, 10]),
            ({"sure": "true"}, [1]),
            ({"sure": "true", "sort": "loss"}, [1]),
            ({"sure": "false", "flagged": "true"}, [3, 5, 7, 9, 11]),
            ({"sure": "false"}, list(range(2, NUM_SAMPLES + 1))),
            ({"min_p": 0.8}, [1, 2, 3]),
            ({"max_p": 0.3}, [9, 10]),
            ({"min_posterior": 0.3}, [9, 10]),
            ({"min_posterior": 0.25, "sort": "-posterior"}, [9, 10, 7, 8]),
            ({"min_posterior": 0.25, "sort": "posterior"}, [8, 7, 10, 9]),
            ({"min_posterior": 0.25, "sort": "loss"}, [7, 8, 9, 10]),
            ({"min_posterior": 0}, list(range(1, NUM_SAMPLES))),
            ({"verdict": "hard", "sort": "-posterior"}, [8, 4]),
            ({"flagged": "true", "sort": "-posterior"}, [9, 7, 5, 3, 1, 11]),
            ({"min_p": 0.4, "max_p": 0.6}, [6, 7]),
            ({"verdict": "hard"}, [4, 8]),
            ({"verdict": "conflict"}, []),
            ({"verdict": "mislabeled", "flagged": "true", "min_p": 0.8}, [1, 3]),
            ({"label": "dog"}, [2, 4, 6, 8, 10]),
            ({"suggested_label": "dog"}, [1, 3, 5, 7, 9, 11]),
            ({"label": "dog", "suggested_label": "dog"}, []),
            ({"label": "no such class"}, []),
            ({"suggested_label": "\x00"}, []),
            ({"decision": "keep"}, [1]),
            ({"decision": "none", "min_p": 0.8}, [2, 3]),
            ({"decision": "relabel"}, []),
        ],
    )
    def test_filters(
        self, client: TestClient, path: str, params: dict[str, Any], ranks: list[int]
    ) -> None:
        assert [item["rank"] for item in walk(client, path, limit=2, **params)] == ranks

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"sort": "rank"}, "unknown_sort"),
            ({"sort": ""}, "unknown_sort"),
            ({"min_p": "1.1"}, "validation_error"),
            ({"max_p": "nan"}, "validation_error"),
            ({"min_posterior": "-0.1"}, "validation_error"),
            ({"flagged": "maybe"}, "validation_error"),
            ({"decision": "burn"}, "validation_error"),
            ({"limit": "501"}, "validation_error"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, client: TestClient, path: str, params: dict[str, str], code: str
    ) -> None:
        reply = client.get(path, params=params)
        assert (reply.status_code, reply.json()["code"]) == (422, code)

    @pytest.mark.parametrize("change", [{"sort": "loss"}, {"flagged": "true"}, {"label": "cat"}])
    def test_cursor_of_another_query_is_refused(
        self, client: TestClient, path: str, change: dict[str, str]
    ) -> None:
        cursor = client.get(path, params={"limit": 1}).json()["next_cursor"]
        reply = client.get(path, params={"limit": 1, "cursor": cursor, **change})
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")

    def test_by_posterior_equals_go_by_rank_and_what_has_none_comes_last(
        self, client: TestClient, path: str
    ) -> None:
        ranks = [9, 10, 7, 8, 5, 6, 3, 4, 1, 2, 11]
        for limit in (1, 2, 5, 500):
            fallen = walk(client, path, sort="-posterior", limit=limit)
            assert [item["rank"] for item in fallen] == ranks
            risen = walk(client, path, sort="posterior", limit=limit)
            assert [item["rank"] for item in risen] == ranks[::-1]

    def test_hides_results_that_are_not_published(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            job = make_job(session, dataset)
            publish_findings(session, job, [make_sample(session, dataset, 0)])
            job.state = JobState.RUNNING
        for name in ("samples", "report", "model"):
            reply = client.get(f"/v1/jobs/{job.id}/{name}")
            assert (reply.status_code, reply.json()["code"]) == (409, "not_finished")


class TestIngestJob:
    def test_has_no_findings(self, client: TestClient, context: AppContext, tenant: Tenant) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            job = make_job(session, dataset, kind=JobKind.INGEST, state=JobState.SUCCEEDED)
        for name in ("samples", "report", "model"):
            reply = client.get(f"/v1/jobs/{job.id}/{name}")
            assert (reply.status_code, reply.json()["code"]) == (409, "no_findings")
        artifacts = client.get(f"/v1/jobs/{job.id}/artifacts").json()
        assert artifacts == {"items": [], "next_cursor": None}


class TestArtifacts:
    @pytest.fixture(autouse=True)
    def stored(self, context: AppContext, tenant: Tenant, job: Job) -> None:
        blobs = BlobStore(context.folder.blobs(tenant.id))
        with context.database.unit_of_work() as session:
            current = session.get_one(Job, job.id)
            for kind, content in (
                ("safetensors", MODEL),
                ("card", b'{"classes": []}'),
                ("report", b'{"noise_rate": 0.2}'),
            ):
                blobs.put(content)
                make_artifact(session, current, kind, content)

    def test_are_listed_with_where_to_get_them(self, client: TestClient, job: Job) -> None:
        items = walk(client, f"/v1/jobs/{job.id}/artifacts")
        assert [item["kind"] for item in items] == ["card", "report", "safetensors"]
        for item in items:
            assert set(item) == {"name", "kind", "size", "sha256", "media_type", "url"}
            reply = client.get(item["url"])
            assert len(reply.content) == item["size"]
            assert reply.headers["etag"] == f'"{item["sha256"]}"'
            assert reply.headers["content-type"] == item["media_type"]

    def test_report_is_json(self, client: TestClient, job: Job) -> None:
        assert client.get(f"/v1/jobs/{job.id}/report").json() == {"noise_rate": 0.2}

    def test_model_is_a_download(self, client: TestClient, job: Job) -> None:
        path = f"/v1/jobs/{job.id}/model"
        reply = client.get(path)
        assert reply.content == MODEL
        assert reply.headers["content-disposition"] == 'attachment; filename="model.safetensors"'
        assert client.get(path, params={"format": "card"}).json() == {"classes": []}

    def test_model_comes_in_parts_too(self, client: TestClient, job: Job) -> None:
        path = f"/v1/jobs/{job.id}/model"
        whole = b""
        for start in range(0, len(MODEL), 60_000):
            reply = client.get(path, headers={"Range": f"bytes={start}-{start + 59_999}"})
            assert reply.status_code == 206
            whole += reply.content
        assert whole == MODEL
        tag = client.get(path).headers["etag"]
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304

    @pytest.mark.parametrize("model_format", ["torchscript", "onnx"])
    def test_audits_of_older_versions_say_that_they_lack_a_form(
        self, client: TestClient, job: Job, model_format: str
    ) -> None:
        reply = client.get(f"/v1/jobs/{job.id}/model", params={"format": model_format})
        assert (reply.status_code, reply.json()["code"]) == (404, "form_not_made")
        assert "audit the data set again" in reply.json()["detail"]

    def test_a_missing_extra_is_answered_with_the_command(
        self, client: TestClient, context: AppContext, job: Job
    ) -> None:
        with context.database.unit_of_work() as session:
            make_artifact(session, session.get_one(Job, job.id), "torchscript", MODEL)
        path = f"/v1/jobs/{job.id}/model"
        assert client.get(path, params={"format": "torchscript"}).content == MODEL
        reply = client.get(path, params={"format": "onnx"})
        assert (reply.status_code, reply.json()["code"]) == (501, "format_not_available")
        assert reply.json()["install"] == "pip install 'labelaudit[onnx]'"
        assert "pip install 'labelaudit[onnx]'" in reply.json()["detail"]

    def test_unknown_forms_are_refused(self, client: TestClient, job: Job) -> None:
        reply = client.get(f"/v1/jobs/{job.id}/model", params={"format": "pickle"})
        assert reply.status_code == 422
