"""What `make api-docs` makes of the client is as its sources are now."""

from typing import Any

import pytest

from tools.generate_client import generated_files, schemas_text


def test_every_file_is_as_its_source_is_now() -> None:
    files = generated_files()
    stale = [path.name for path, text in files.items() if path.read_text() != text]
    assert stale == [], "run `make api-docs`"
    assert len(files) == 4


def members(text: str, name: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(text, space)  # noqa: S102 - what the generator has just written
    return {member: str(kind) for member, kind in space[name].__annotations__.items()}


class TestSchemas:
    def test_have_every_member_of_the_document(self) -> None:
        document = {
            "ColourRead": {"type": "object", "properties": {
                "from": {"type": "string"},
                "shade": {"anyOf": [{"$ref": "#/components/schemas/Shade"}, {"type": "null"}]},
                "parts": {"type": "array", "items": {"type": "number"}},
                "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
                "anything": {},
            }},
            "Shade": {"type": "string", "enum": ["light", "dark"], "description": "How bright."},
        }  # fmt: skip
        assert members(schemas_text(document, {"Colour"}), "Colour") == {
            "from": "<class 'str'>",
            "shade": "typing.Optional[typing.Literal['light', 'dark']]",
            "parts": "list[float]",
            "counts": "dict[str, int]",
            "anything": "typing.Any",
        }

    def test_leave_out_what_the_client_does_not_answer(self) -> None:
        empty = {"type": "object", "properties": {}}
        assert "Other" not in schemas_text({"JobRead": empty, "OtherRead": empty}, {"Job"})

    def test_are_refused_where_two_would_have_one_name(self) -> None:
        part = {"type": "object", "properties": {}}
        whole = {"type": "object", "properties": {
            "a": {"$ref": "#/components/schemas/app__a__Part"},
            "b": {"$ref": "#/components/schemas/app__b__Part"},
        }}  # fmt: skip
        document = {"app__a__Part": part, "app__b__Part": part, "Whole": whole}
        with pytest.raises(ValueError, match="one name"):
            schemas_text(document, {"Whole"})

    def test_are_refused_where_the_client_names_one_that_is_not_there(self) -> None:
        with pytest.raises(ValueError, match="Gone"):
            schemas_text({}, {"Gone"})
