"""Corrections to the generated OpenAPI document."""

from typing import Any

from fastapi import FastAPI

from app.http.problems import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def install(app: FastAPI) -> None:
    """Declare problems under their own media type, which FastAPI cannot be told."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            for path in document["paths"].values():
                for operation in path.values():
                    _correct(operation["responses"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _correct(responses: dict[str, Any]) -> None:
    for response in responses.values():
        content = response.get("content", {})
        # A route with its own media type would declare its problems under that.
        if any(body.get("schema") == _PROBLEM for body in content.values()):
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
