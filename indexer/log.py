"""Logging: structlog to stderr, one event a line; JSON unless a person is looking."""

import logging
import sys
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


def set_up(level: Level = "info", fmt: Format = "auto") -> None:
    """Configure structlog. Text from the chain is always a value, never a format, and is escaped on the way out."""
    import structlog  # late: it brings rich along, and commands that only ask have nothing to log

    pretty = fmt == "console" or (fmt == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), repr_native_str=True)
        if pretty
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # so that it can be set up again, for another stream
    )
