import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.core.errors import InvalidCursorError
from app.core.pagination import NUMBER_KEY, Cursors, PageRequest, paginate

ROWS = [10, 20, 30]


def cursors(**query: Any) -> Cursors[int]:
    return Cursors(NUMBER_KEY, query)


def forged(content: Mapping[str, Any] | list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


class TestCursors:
    def test_last_page_has_no_cursor(self) -> None:
        assert cursors().cut(ROWS, 3, key=lambda row: row) == (ROWS, None)

    def test_continue_after_the_last_row_shown(self) -> None:
        page, cursor = cursors().cut(ROWS, 2, key=lambda row: row)
        assert page == [10, 20]
        assert cursors().decode(cursor) == 20

    def test_of_another_filter_are_refused(self) -> None:
        _, cursor = cursors(label="cat").cut(ROWS, 2, key=lambda row: row)
        with pytest.raises(InvalidCursorError):
            cursors(label="dog").decode(cursor)

    @pytest.mark.parametrize(
        "text", ["", "x", "é", "====", forged([]), forged({}), "W10=", "e30=" * 300]
    )
    def test_garbage_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidCursorError):
            cursors().decode(text)

    @pytest.mark.parametrize("key", [2**63, "x", None, [1], 1.5, {}])
    def test_keys_that_no_row_can_have_are_refused(self, key: Any) -> None:
        _, cursor = cursors().cut(ROWS, 2, key=lambda row: row)
        assert cursor is not None
        content = json.loads(base64.urlsafe_b64decode(cursor))
        with pytest.raises(InvalidCursorError):
            cursors().decode(forged(content | {"k": key}))


class TestPaginate:
    @pytest.mark.parametrize("limit", [1, 2, 3, 4])
    def test_a_walk_sees_every_row_once(self, limit: int) -> None:
        def fetch(*, after: int | None, limit: int) -> Sequence[int]:
            return [row for row in ROWS if after is None or row > after][:limit]

        seen: list[int] = []
        cursor: str | None = None
        for _ in ROWS:
            rows, cursor = paginate(
                PageRequest(limit, cursor), cursors(), fetch, key=lambda row: row
            )
            assert len(rows) <= limit
            seen += rows
            if cursor is None:
                break
        assert (seen, cursor) == (ROWS, None)
