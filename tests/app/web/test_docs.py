import re

from starlette.testclient import TestClient


class TestDocs:
    def test_works_offline_and_without_a_key(self, anonymous: TestClient) -> None:
        reply = anonymous.get("/docs")
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/html")
        links = re.findall(r'(?:src|href)="([^"]+)"', reply.text)
        assert len(links) == 4
        for link in links:
            assert anonymous.get(f"/{link}").status_code == 200, link

    def test_allows_no_foreign_and_no_inline_script(self, anonymous: TestClient) -> None:
        reply = anonymous.get("/docs")
        policy = reply.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert "://" not in reply.text
        assert "<script>" not in reply.text
