"""Write the parts of the client that follow from others.

- `labelaudit/client/_sync` from `labelaudit/client/_async`, by replacing words;
- `labelaudit/schemas.py` from docs/api/openapi.json: the types that `labelaudit` imports, with all
  that they refer to.

python -m docs.generate (make api-docs) does this too.
"""

import ast
import json
import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "labelaudit"
ASYNC = PACKAGE / "client" / "_async"
OPENAPI = ROOT / "docs" / "api" / "openapi.json"

_WORDS = (
    (r"\b_async\b", "_sync"),
    (r"\b(async|await) ", ""),
    (r"\b__a(enter|exit)__", r"__\1__"),
    (r"\ba(close|read|iter_bytes)\b", r"\1"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\bhttpx2\.AsyncClient\b", "httpx2.Client"),
    (r"\banyio\b", "time"),
    (r"\bin_thread\b", "in_place"),
)
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_SCHEMAS_HEAD = '''\
"""The service's answers as dictionaries; they may have more members than are named here.

Made from docs/api/openapi.json by `make api-docs`; do not edit.
"""

from typing import Any, Literal, TypeAlias, TypedDict

Report: TypeAlias = dict[str, Any]
"""docs/guide/report.md explains its members."""
'''


def main() -> None:
    """Write all files."""
    for path, text in generated_files().items():
        path.write_text(text)


def generated_files() -> dict[Path, str]:
    """Return the text of each file by its path."""
    texts = {
        ASYNC.with_name("_sync") / path.name: _sync_text(path)
        for path in sorted(ASYNC.glob("*.py"))
        if path.stat().st_size
    }
    schemas = json.loads(OPENAPI.read_text())["components"]["schemas"]
    return texts | {PACKAGE / "schemas.py": _formatted(schemas_text(schemas, _imported_types()))}


def _sync_text(path: Path) -> str:
    text = path.read_text()
    for word, replacement in _WORDS:
        text = re.sub(word, replacement, text)
    source = path.relative_to(ROOT).as_posix()
    return _formatted(f"# Made from {source} by `make api-docs`; do not edit.\n{text}")


def _formatted(text: str) -> str:
    for command in (["check", "--quiet", "--fix-only", "--select", "I"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", "generated.py", "-"]
        text = subprocess.run(
            ruff, cwd=ROOT, input=text, capture_output=True, text=True, check=True
        ).stdout
    return text


def _imported_types() -> set[str]:
    return {
        alias.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "labelaudit.schemas"
        for alias in node.names
    } - {"Report"}


def schemas_text(schemas: Mapping[str, Any], wanted: set[str]) -> str:
    """Return the wanted types and all that they refer to, each after what it refers to."""
    names = {name: _type_name(name) for name in schemas}
    ordered: dict[str, None] = {}

    def add(name: str) -> None:
        if name not in ordered:
            for reference in _references(schemas[name]):
                add(reference)
            ordered[name] = None

    # Where a list of values has the name of an answer, such as `Decision`, the answer is meant.
    chosen = {
        names[name]: name for name in sorted(schemas, key=lambda name: "enum" not in schemas[name])
    }
    for name in sorted(wanted & chosen.keys()):
        add(chosen[name])
    written = [names[name] for name in ordered]
    if missing := wanted - set(written):
        raise ValueError(f"openapi.json has no types for {sorted(missing)}")
    if len(set(written)) < len(written):
        raise ValueError(f"two types of openapi.json have one name among {sorted(written)}")
    return "\n\n".join(
        [_SCHEMAS_HEAD, *(_definition(names[name], schemas[name]) for name in ordered)]
    )


def _type_name(schema: str) -> str:
    return schema.rpartition("__")[2].removesuffix("Read")


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for member in value.values():
            yield from _references(member)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _definition(name: str, schema: Mapping[str, Any]) -> str:
    description = schema.get("description", "")
    if "enum" in schema:
        return f"{name}: TypeAlias = {_annotation(schema)}\n{_docstring(description)}"
    members = {member: _annotation(kind) for member, kind in schema["properties"].items()}
    if any(keyword.iskeyword(member) for member in members):
        fields = ", ".join(f'"{member}": {kind}' for member, kind in members.items())
        return f'{name} = TypedDict("{name}", {{{fields}}})\n{_docstring(description)}'
    lines = [_docstring(description)]
    for member, kind in members.items():
        lines.append(f"{member}: {kind}")
        lines.append(_docstring(schema["properties"][member].get("description", "")))
    body = textwrap.indent("\n".join(line for line in lines if line), "    ")
    return f"class {name}(TypedDict):\n{body}"


def _docstring(text: str) -> str:
    if not text:
        return ""
    summary, _, rest = text.partition("\n")
    return f'"""{summary}\n{rest}\n"""' if rest else f'"""{summary}"""'


def _annotation(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            annotation = _type_name(reference.rpartition("/")[2])
        case {"enum": choices}:
            annotation = f"Literal[{', '.join(map(repr, choices))}]"
        case {"anyOf": kinds}:
            annotation = " | ".join(map(_annotation, kinds))
        case {"type": "array", "items": items}:
            annotation = f"list[{_annotation(items)}]"
        case {"type": "object"}:
            values = schema.get("additionalProperties")
            annotation = f"dict[str, {_annotation(values) if isinstance(values, dict) else 'Any'}]"
        case {"type": "null"}:
            annotation = "None"
        case _:
            annotation = _SCALARS.get(schema.get("type", ""), "Any")
    return annotation


if __name__ == "__main__":
    main()
