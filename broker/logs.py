"""Logs: an event and its facts, one line each, to stderr. Nothing per good message."""

import logging
import sys
from typing import Final

import structlog

from broker.printable import printable
from broker.sections import LogSettings

_SHARED: Final[list[structlog.typing.Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


class _Console(structlog.dev.ConsoleRenderer):
    """Lines for people, in which no text of others steers their terminal."""

    def __call__(
        self,
        logger: structlog.typing.WrappedLogger,
        name: str,
        event_dict: structlog.typing.EventDict,
    ) -> str:
        """Return the line of an event."""
        safe = {
            key: printable(value) if isinstance(value, str) else value
            for key, value in event_dict.items()
        }
        return super().__call__(logger, name, safe)


def configure_logging(settings: LogSettings) -> None:
    """Set up structlog for this process, and quieten what libraries log on the way."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.json_lines
        else _Console(colors=sys.stderr.isatty(), sort_keys=False)
    )
    _configure_libraries(max(level, logging.WARNING), renderer)
    structlog.configure(
        processors=[*_SHARED, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _configure_libraries(level: int, renderer: structlog.typing.Processor) -> None:
    """Let what libraries say look like what we say: a collector reads one form."""
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
