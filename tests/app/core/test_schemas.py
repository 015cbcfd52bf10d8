"""What is sent is of the very type that the document names."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

import app.main as _all_slices  # noqa: F401 - so that every model is known
from app.core.schemas import InputModel
from app.predictions.schemas import PredictOptions

WRONG = {"integer": (True, "1", 1.5), "number": (True, "0.5"), "boolean": (1, 0, "true", "yes")}
NOT_SENT = {PredictOptions}
"""Written by the service itself."""


def _models(base: type[InputModel] = InputModel) -> Iterator[type[InputModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _types(schema: dict[str, Any]) -> set[str]:
    return {part.get("type", "") for part in [schema, *schema.get("anyOf", [])]} & set(WRONG)


FIELDS = [
    (model, name)
    for model in sorted(_models(), key=lambda model: model.__name__)
    for name, part in model.model_json_schema()["properties"].items()
    if _types(part) and model not in NOT_SENT
]


@pytest.mark.parametrize(
    ("model", "name"), FIELDS, ids=[f"{model.__name__}.{name}" for model, name in FIELDS]
)
def test_a_number_is_no_flag_and_no_text(model: type[InputModel], name: str) -> None:
    [kind] = _types(model.model_json_schema()["properties"][name])
    for value in WRONG[kind]:
        with pytest.raises(ValidationError) as refused:
            model.model_validate({name: value})
        assert (name,) in {error["loc"][:1] for error in refused.value.errors()}, value
