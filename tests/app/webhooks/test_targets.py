import socket

import pytest

from app.webhooks.delivery import Target, parse_target, resolve
from app.webhooks.schemas import InvalidWebhookUrlError

PRIVATE = (
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "192.168.0.1",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - to be refused
    "2130706433",
    "0x7f000001",
    "[::1]",
    "[fe80::1]",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
    "[2002:7f00:1::]",
    "224.0.0.1",
    "192.88.99.1",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[fec0::1]",
    "[::7f00:1]",
    "[::ffff:0:7f00:1]",
    "[ff0e::1]",
    "localhost",
)


class TestParse:
    def test_takes_a_url_apart(self) -> None:
        target = parse_target("https://example.org/hooks?a=1", private_allowed=False)
        assert target == Target(is_tls=True, host="example.org", port=443, path="/hooks?a=1")

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org/",
            "ftp://example.org/",
            "https://",
            "https://user:word@example.org/",
            "https://example.org:port/",
            "https://exam ple.org/",
            "https://example.org/\r\nX: y",
            "https://[::1",
            "/relative",
            "https://a..b/",
            "https://.example.com/",
            f"https://{'a' * 64}.example/",
        ],
    )
    def test_refuses(self, url: str) -> None:
        with pytest.raises(InvalidWebhookUrlError):
            parse_target(url, private_allowed=False)

    def test_takes_http_only_where_private_receivers_are_allowed(self) -> None:
        assert parse_target("http://10.0.0.1:99/", private_allowed=True).port == 99


class TestResolve:
    @pytest.mark.parametrize("host", PRIVATE)
    def test_refuses_addresses_that_are_not_public(self, host: str) -> None:
        target = parse_target(f"https://{host}/", private_allowed=False)
        with pytest.raises(InvalidWebhookUrlError):
            resolve(target, private_allowed=False)

    @pytest.mark.parametrize(
        "host", ["93.184.216.34", "[2606:2800:220:1::1]", "[64:ff9b::5db8:d822]"]
    )
    def test_takes_addresses_that_are_public(self, host: str) -> None:
        target = parse_target(f"https://{host}/", private_allowed=False)
        assert resolve(target, private_allowed=False) == host.strip("[]")

    def test_refuses_a_name_with_one_private_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def answer(_host: str, port: int, **_options: object) -> list[tuple[object, ...]]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (address, port)) for address in ("93.184.216.34", "10.0.0.1")]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        target = parse_target("https://rebinds.example/", private_allowed=False)
        with pytest.raises(InvalidWebhookUrlError):
            resolve(target, private_allowed=False)
