from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.settings import Settings
from app.main import create_app


@pytest.fixture
def operations(anonymous: TestClient) -> dict[str, dict[str, Any]]:
    """Operations of the OpenAPI document by method and path."""
    paths = anonymous.get("/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


class TestOpenApi:
    def test_has_the_routes_of_the_contract(self, operations: dict[str, Any]) -> None:
        assert set(operations) == {
            "POST /v1/datasets",
            "POST /v1/datasets/{dataset_id}/parts",
            "POST /v1/scores",
            "OPTIONS /v1/uploads",
            "POST /v1/uploads",
            "HEAD /v1/uploads/{upload_id}",
            "PATCH /v1/uploads/{upload_id}",
            "DELETE /v1/uploads/{upload_id}",
            "GET /v1/datasets",
            "GET /v1/datasets/{dataset_id}",
            "DELETE /v1/datasets/{dataset_id}",
            "GET /v1/datasets/{dataset_id}/samples",
            "GET /v1/datasets/{dataset_id}/rejected",
            "GET /v1/samples/{sample_id}",
            "GET /v1/samples/{sample_id}/image",
            "PUT /v1/samples/{sample_id}/decision",
            "POST /v1/datasets/{dataset_id}/decisions",
            "GET /v1/datasets/{dataset_id}/decisions",
            "GET /v1/datasets/{dataset_id}/decisions/steps",
            "POST /v1/datasets/{dataset_id}/decisions/undo",
            "POST /v1/datasets/{dataset_id}/decisions/redo",
            "POST /v1/datasets/{dataset_id}/exports",
            "GET /v1/exports/{export_id}",
            "GET /v1/exports/{export_id}/download",
            "POST /v1/jobs",
            "GET /v1/jobs",
            "GET /v1/jobs/{job_id}",
            "GET /v1/jobs/{job_id}/attempts",
            "POST /v1/webhooks",
            "GET /v1/webhooks",
            "DELETE /v1/webhooks/{webhook_id}",
            "GET /v1/webhooks/{webhook_id}/deliveries",
            "POST /v1/jobs/{job_id}/cancel",
            "POST /v1/jobs/{job_id}/retry",
            "GET /v1/jobs/{job_id}/events",
            "GET /v1/jobs/{job_id}/samples",
            "GET /v1/jobs/{job_id}/samples/{sample_id}/evidence",
            "GET /v1/jobs/{job_id}/artifacts",
            "GET /v1/jobs/{job_id}/artifacts/SHA256SUMS",
            "GET /v1/jobs/{job_id}/artifacts/SHA256SUMS.sig",
            "GET /v1/jobs/{job_id}/artifacts/{name}",
            "POST /v1/jobs/{job_id}/predict",
            "GET /v1/jobs/{job_id}/predictions",
            "POST /v1/jobs/{job_id}/recalibrate",
            "GET /v1/jobs/{job_id}/review/progress",
            "GET /v1/jobs/{job_id}/review/first-look",
            "POST /v1/jobs/{job_id}/promises",
            "GET /v1/jobs/{job_id}/promises",
            "GET /v1/promises/{promise_id}",
            "GET /v1/promises/{promise_id}/checks",
            "POST /v1/promises/{promise_id}/answers",
            "POST /v1/promises/{promise_id}/accept",
            "POST /v1/promises/{promise_id}/close",
            "GET /v1/jobs/{job_id}/difference",
            "POST /v1/jobs/{job_id}/claims",
            "GET /v1/jobs/{job_id}/claims",
            "DELETE /v1/jobs/{job_id}/claims",
            "GET /v1/jobs/{job_id}/agreement",
            "GET /v1/jobs/{job_id}/conflicts",
            "GET /.well-known/labelaudit/signing-keys",
            "GET /.well-known/labelaudit/signing-keys/{key_id}.pem",
            "GET /v1/jobs/{job_id}/report",
            "GET /v1/jobs/{job_id}/model",
            "GET /healthz",
            "GET /readyz",
            "DELETE /v1/keys/{key_id}",
            "GET /v1/audit-log",
            "GET /v1/keys",
            "GET /v1/tenants",
            "GET /v1/tenants/{tenant_id}",
            "GET /v1/usage",
            "PATCH /v1/tenants/{tenant_id}",
            "POST /v1/keys",
            "POST /v1/keys/{key_id}/rotate",
            "POST /v1/tenants",
            "GET /metrics",
            "GET /metrics/jobs",
        }

    def test_each_operation_has_a_summary_and_a_tag(self, operations: dict[str, Any]) -> None:
        for name, operation in operations.items():
            assert operation["summary"], name
            assert operation["tags"], name

    def test_operations_below_v1_need_a_key_and_declare_problems(
        self, operations: dict[str, Any]
    ) -> None:
        for name, operation in operations.items():
            if "/v1/" not in name:
                assert "security" not in operation, name
                continue
            assert operation["security"] == [{"ApiKey": []}], name
            assert {"401", "403", "422", "503"} <= set(operation["responses"]), name
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"], name

    def test_describes_the_form_of_an_upload(self, operations: dict[str, Any]) -> None:
        content = operations["POST /v1/datasets"]["requestBody"]["content"]
        assert "upload_id" in content["application/json"]["schema"]["properties"]
        form = content["multipart/form-data"]["schema"]
        assert set(form["properties"]) == {"file", "name", "audit", "columns"}
        assert form["required"] == ["file"]


class TestCreateApp:
    def test_does_not_touch_the_database(self, tmp_path: Path) -> None:
        app = create_app(Settings(data_dir=tmp_path))
        with TestClient(app) as client:
            assert client.get("/healthz").is_success
        assert not (tmp_path / "labelaudit.db").exists()
