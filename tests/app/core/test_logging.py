import json
import logging

import pytest
import structlog

from app.accounts.service import make_key
from app.core.logging import configure_logging, redact
from app.core.settings import Settings


class TestRedact:
    def test_leaves_of_a_key_what_is_public(self) -> None:
        key_id, key = make_key()
        assert redact(f"Bearer {key}, {key}!") == f"Bearer la_live_{key_id}_…, la_live_{key_id}_…!"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("postgresql://joe:pa55@host/db", "postgresql://joe:…@host/db"),
            ("redis://:pa55@host:6379/0 is away", "redis://:…@host:6379/0 is away"),
            ("whsec_c2VjcmV0+/=", "whsec_…"),
            ("http://host:80/a@b", "http://host:80/a@b"),
            ("la_live_x", "la_live_x"),
        ],
    )
    def test_knows_other_secrets(self, text: str, expected: str) -> None:
        assert redact(text) == expected


@pytest.mark.parametrize("log_format", ["text", "json"])
class TestLines:
    def test_hold_no_secret_wherever_it_stands(
        self, capfd: pytest.CaptureFixture[str], log_format: str
    ) -> None:
        _, key = make_key()
        root, handlers, level = logging.getLogger(), logging.root.handlers[:], logging.root.level
        try:
            configure_logging(Settings.model_validate({"log_format": log_format}))
            structlog.get_logger("x").info("one", header=key, nested={"a": [key]})
            error = ValueError(f"postgresql://joe:pa55word@host/db {key}")
            structlog.get_logger("x").error("two", exc_info=error)
            logging.getLogger("celery").error("three %s", key, exc_info=error)
        finally:
            structlog.reset_defaults()
            root.handlers[:] = handlers
            root.setLevel(level)
        written = capfd.readouterr().err
        assert key not in written
        assert "pa55word" not in written
        for event in ("one", "two", "three"):
            assert event in written
        if log_format == "json":
            for line in written.splitlines():
                json.loads(line)
