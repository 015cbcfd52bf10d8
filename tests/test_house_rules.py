"""The laws of this code base that no linter knows (CONTRIBUTING.md explains each)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("app", "worker", "ml", "labelaudit")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MAX_FILE_LINES = 300
MAX_TEST_FILE_LINES = 400
MAX_FUNCTION_LINES = 30
QUERIES = {"select", "insert", "update", "delete"}
MAY_COMMIT = {"app/core/db.py"}
MAY_QUERY = {"app/core/bulk.py"}
"""Knows how to insert, not what."""


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _num_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def _calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=_name)
class TestSource:
    def test_file_is_short_enough_to_read_at_once(self, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= MAX_FILE_LINES

    def test_functions_are_short(self, path: Path) -> None:
        long = [f.name for f in _functions(path) if _num_lines(f) > MAX_FUNCTION_LINES]
        assert long == []

    def test_only_the_unit_of_work_commits(self, path: Path) -> None:
        if _name(path) in MAY_COMMIT:
            return
        commits = [
            call.lineno
            for call in _calls(path)
            if isinstance(call.func, ast.Attribute) and call.func.attr == "commit"
        ]
        assert commits == []

    def test_queries_live_in_repositories(self, path: Path) -> None:
        if path.name.endswith("repository.py") or _name(path) in MAY_QUERY:
            return
        queries = [
            call.lineno
            for call in _calls(path)
            if isinstance(call.func, ast.Name) and call.func.id in QUERIES
        ]
        assert queries == []

    def test_nothing_is_unpickled(self, path: Path) -> None:
        text = path.read_text()
        for forbidden in ("import pickle", "torch.load(", "allow_pickle=True", "yaml.load("):
            assert forbidden not in text


@pytest.mark.parametrize("path", TESTS, ids=_name)
def test_test_files_are_short_too(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_TEST_FILE_LINES


@pytest.mark.parametrize("path", sorted((ROOT / "app").rglob("endpoints.py")), ids=_name)
def test_endpoints_are_plain_functions_unless_they_stream(path: Path) -> None:
    """A blocking query inside `async def` would stop the whole process."""
    for function in _functions(path):
        if isinstance(function, ast.AsyncFunctionDef):
            assert "stream" in (ast.get_docstring(function) or "").lower(), function.name


def test_tables_are_only_made_by_migrations() -> None:
    for path in SOURCES:
        assert "create_all" not in path.read_text(), path


def test_workflow_files_parse() -> None:
    for path in [*ROOT.glob("*.yml"), *ROOT.glob(".github/**/*.yml")]:
        assert yaml.safe_load(path.read_text())
