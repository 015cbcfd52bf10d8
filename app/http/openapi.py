"""Corrections to the generated OpenAPI document."""

from typing import Any

from fastapi import FastAPI

from app.http.errors import RateLimitedError
from app.http.problems import MEDIA_TYPE, problems

_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def install(app: FastAPI) -> None:
    """Declare problems under their own media type, which FastAPI cannot be told."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    if path.startswith("/v1/"):
                        _add_rate_limit(operation["responses"])
                    _correct(operation["responses"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _add_rate_limit(responses: dict[str, Any]) -> None:
    """Every call with a key may come too soon; some have quotas besides."""
    [(status, limited)] = problems(RateLimitedError).items()
    declared = responses.get(str(status), {})
    texts = [declared.get("description"), limited["description"]]
    responses[str(status)] = {
        "description": "; ".join(text for text in texts if text),
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
        "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
    }


def _correct(responses: dict[str, Any]) -> None:
    for response in responses.values():
        content = response.get("content", {})
        # A route with its own media type would declare its problems under that.
        if any(body.get("schema") == _PROBLEM for body in content.values()):
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
