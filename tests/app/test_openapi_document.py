"""The OpenAPI document as a product: complete, committed, and the same as what is served."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import openapi_spec_validator
import pytest

from app.core.settings import Settings
from app.http.openapi import operations
from app.http.problems import CODES, error_types
from app.main import create_app
from docs.generate import PROBLEMS, SCHEMA, openapi_text, problems_text

_METHODS_WITH_BODY = {"post", "put", "patch"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).openapi()


class TestCommittedFiles:
    def test_the_document_is_what_is_served(self) -> None:
        assert SCHEMA.read_text() == openapi_text(), "renew it: make api-docs"

    def test_the_page_of_problems_is_up_to_date(self) -> None:
        assert PROBLEMS.read_text() == problems_text(), "renew it: make api-docs"


class TestLint:
    def test_is_valid_openapi(self, document: dict[str, Any]) -> None:
        assert document["openapi"].startswith("3.1.")
        openapi_spec_validator.validate(document)

    def test_every_operation_is_described(self, document: dict[str, Any]) -> None:
        for path, method, operation in operations(document):
            where = f"{method} {path}"
            assert len(operation["summary"]) > 5, where
            assert len(operation["description"]) > 20, where
            assert operation["tags"], where
            for parameter in operation.get("parameters", ()):
                assert len(parameter.get("description", "")) > 10, (where, parameter["name"])

    def test_tags_are_described(self, document: dict[str, Any]) -> None:
        described = {tag["name"] for tag in document["tags"] if tag["description"]}
        for path, method, operation in operations(document):
            assert set(operation["tags"]) <= described, (method, path)

    def test_operation_ids_are_short_and_unique(self, document: dict[str, Any]) -> None:
        names = [operation["operationId"] for _, _, operation in operations(document)]
        assert len(names) == len(set(names))
        assert all(name.isidentifier() and "_v1_" not in name for name in names), names

    def test_every_operation_below_v1_declares_its_errors(self, document: dict[str, Any]) -> None:
        known = {error.code: error.status for error in error_types()}
        for path, method, operation in operations(document):
            if not path.startswith("/v1"):
                continue
            responses = operation["responses"]
            assert {"401", "403", "422", "500", "503"} <= set(responses), (method, path)
            if "{" in path:
                assert "404" in responses, (method, path)
            if "requestBody" in operation:
                assert {"400", "413"} <= set(responses), (method, path)
            for status, response in responses.items():
                if status >= "400":
                    codes = response[CODES]
                    assert codes, (method, path, status)
                    assert {known[code] for code in codes} == {int(status)}, (path, codes)
                    examples = response["content"]["application/problem+json"]["examples"]
                    assert set(examples) == set(codes)
                assert response["description"], (method, path, status)

    def test_bodies_have_valid_examples(self, document: dict[str, Any]) -> None:
        for path, method, operation in operations(document):
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is None:
                continue
            schema = body["schema"] | {"components": document["components"]}
            jsonschema_rs.validator_for(schema).validate(body["example"])
            assert method in _METHODS_WITH_BODY, path

    def test_examples_of_bodies_leave_the_preset_to_the_service(
        self, document: dict[str, Any]
    ) -> None:
        for path, method, operation in operations(document):
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            example = json.dumps(body.get("example"))
            assert "preset" not in example, (method, path)
            assert "epochs" not in example, (method, path)

    def test_references_lead_somewhere(self, document: dict[str, Any]) -> None:
        text = json.dumps(document)
        for name in document["components"]["schemas"]:
            text = text.replace(f'"#/components/schemas/{name}"', '""')
        assert '"$ref": "#/' not in text
        assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"


def test_every_code_is_explained() -> None:
    page = Path(PROBLEMS).read_text()
    for error in error_types():
        assert f"\n### {error.code}\n" in page
        assert (error.__doc__ or "").strip(), error
