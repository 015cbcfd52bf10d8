"""The laws of this code base that no linter knows (CONTRIBUTING.md explains each)."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("app", "worker", "ml", "labelaudit")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
GENERATED = {"labelaudit/schemas.py"}
QUERIES = {"select", "insert", "update", "delete"}
MAY_COMMIT = {"app/core/db.py"}
MAY_QUERY = {"app/core/bulk.py"}
"""Knows how to insert, not what."""
MAY_START_THREADS = {
    "app/core/background.py",
    "labelaudit/supervisor.py",  # these two compare two numbers and end their process
    "worker/processes/child.py",
    "worker/processes/spawn.py",  # its end is an event of its own
    "worker/runtime/webhooks.py",  # one message each
}
"""What else goes on in the background is a `BackgroundLoop`, which nothing ends unseen."""
CODES = r"(?>: [A-Z]+\d+(?:, [A-Z]+\d+)*|\[[a-z-]+(?:, ?[a-z-]+)*\])?+"
OVERLOOKED = re.compile(rf"# (?:noqa|type: ignore|pragma: no cover){CODES}(?! +[-#] [\w`])")
"""Tells a linter to overlook something, and nobody why."""


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in _nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _num_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def _calls(path: Path) -> Iterator[ast.Call]:
    for node in _nodes(path):
        if isinstance(node, ast.Call):
            yield node


def _num_file_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


class TestSource:
    """Each test names all that break its rule."""

    def test_files_are_short_enough_to_read_at_once(self) -> None:
        written = [path for path in SOURCES if _name(path) not in GENERATED]
        assert [_name(path) for path in written if _num_file_lines(path) > MAX_FILE_LINES] == []

    def test_functions_are_short(self) -> None:
        long = [
            (_name(path), function.name)
            for path in SOURCES
            for function in _functions(path)
            if _num_lines(function) > MAX_FUNCTION_LINES
        ]
        assert long == []

    def test_only_the_unit_of_work_commits(self) -> None:
        commits = [
            (_name(path), call.lineno)
            for path in SOURCES
            if _name(path) not in MAY_COMMIT
            for call in _calls(path)
            if isinstance(call.func, ast.Attribute) and call.func.attr == "commit"
        ]
        assert commits == []

    def test_threads_are_started_where_none_can_end_unseen(self) -> None:
        started = [
            (_name(path), call.lineno)
            for path in SOURCES
            if _name(path) not in MAY_START_THREADS
            for call in _calls(path)
            if ast.unparse(call.func) in {"threading.Thread", "Thread", "threading.Timer"}
        ]
        assert started == []

    def test_queries_live_in_repositories(self) -> None:
        queries = [
            (_name(path), call.lineno)
            for path in SOURCES
            if not path.name.endswith("repository.py") and _name(path) not in MAY_QUERY
            for call in _calls(path)
            if isinstance(call.func, ast.Name) and call.func.id in QUERIES
        ]
        assert queries == []

    @pytest.mark.parametrize(
        "forbidden", ["import pickle", "torch.load(", "allow_pickle=True", "yaml.load("]
    )
    def test_nothing_is_unpickled(self, forbidden: str) -> None:
        assert [_name(path) for path in SOURCES if forbidden in path.read_text()] == []

    def test_what_a_linter_is_told_to_overlook_has_a_reason(self) -> None:
        bare = [
            (_name(path), line)
            for path in [*SOURCES, *TESTS]
            for line in path.read_text().splitlines()
            if OVERLOOKED.search(line)
        ]
        assert bare == []


def test_tests_start_processes_so_that_none_is_left() -> None:
    """`started` of tests/support/processes.py ends them; what only `run`s ends by itself."""
    for path in TESTS:
        if _name(path) != "tests/support/processes.py":
            assert all("Popen" not in ast.unparse(call.func) for call in _calls(path)), path


def test_test_files_are_short_too() -> None:
    assert [_name(path) for path in TESTS if _num_file_lines(path) > MAX_TEST_FILE_LINES] == []


def test_endpoints_are_plain_functions_unless_they_stream() -> None:
    """A blocking query inside `async def` would stop the whole process.

    A dependency that only puts something together may be one: it then takes no thread.
    """
    blocking = [
        (_name(path), function.name)
        for path in (ROOT / "app").rglob("*routes.py")
        for function in _functions(path)
        if isinstance(function, ast.AsyncFunctionDef)
        and "stream" not in (ast.get_docstring(function) or "").lower()
        and not _only_puts_together(function)
    ]
    assert blocking == []


def _only_puts_together(function: ast.AsyncFunctionDef) -> bool:
    """Tell whether a private function calls no method of anything that it was given."""
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return function.name.startswith("_") and all(
        isinstance(func, ast.Name)
        or (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Constant))
        for func in called
    )


def test_tables_are_only_made_by_migrations() -> None:
    for path in SOURCES:
        assert "create_all" not in path.read_text(), path


def test_workflow_files_parse() -> None:
    for path in [*ROOT.glob("*.yml"), *ROOT.glob(".github/**/*.yml")]:
        assert yaml.safe_load(path.read_text())
