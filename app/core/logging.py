"""Structured logs: lines for people, JSON for machines."""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor

from app.core.settings import Settings

_SECRET = re.compile(
    r"(?P<key>la_live_[0-9A-Za-z]{8}_)[0-9A-Za-z]+"
    r"|(?P<hook>whsec_)[0-9A-Za-z+/=]+"
    r"|(?P<url>://[^\s:/@]*:)[^\s/@]+(?=@)"
)
"""API keys, secrets of webhooks, passwords in URLs."""


def redact(text: str) -> str:
    """Take out what looks like one of our secrets, so that no message can carry one."""
    return _SECRET.sub(lambda match: f"{match[match.lastgroup or 0]}…", text)


def _redact(_logger: object, _method: str, line: str | bytes | EventDict) -> str:
    """Be the last processor: whatever the line was made of."""
    return redact(str(line))


def configure_logging(settings: Settings) -> None:
    """Send structlog and the standard library's loggers to stderr in one format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer(
        colors=False,
        # The default shows local variables, and with them keys and passwords.
        exception_formatter=structlog.dev.plain_traceback,
    )
    if settings.log_format == "json":
        renderer = structlog.processors.JSONRenderer()
        shared.append(structlog.processors.format_exc_info)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, renderer, _redact],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = _standard_handler(shared, renderer)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _standard_handler(shared: list[Processor], renderer: Processor) -> logging.Handler:
    """Write the lines of the standard library's loggers in the same way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
                _redact,
            ],
            foreign_pre_chain=shared,
        )
    )
    return handler
