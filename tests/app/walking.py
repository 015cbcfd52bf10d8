"""Reading a list to its end."""

from typing import Any

from starlette.testclient import TestClient


def walk(client: TestClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """Collect all pages by their cursors; each must link to the next."""
    items: list[dict[str, Any]] = []
    while True:
        reply = client.get(path, params=params)
        assert reply.status_code == 200, reply.text
        page = reply.json()
        assert set(page) == {"items", "next_cursor"}
        items += page["items"]
        if page["next_cursor"] is None:
            assert "link" not in reply.headers
            return items
        linked = client.get(reply.links["next"]["url"]).json()
        params["cursor"] = page["next_cursor"]
        assert linked == client.get(path, params=params).json()
