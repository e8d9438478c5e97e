"""The application log: structlog and the standard library's logging through one chain, to stderr, redacted.

JSON lines with ECS names, or something pretty on a terminal. Diagnostics only, may be lost;
what must not be lost is the audit log's.
Rule: no exception text and no third party's message reaches the stream unredacted.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Protocol, TextIO

import orjson
import structlog

from gateway import __version__
from gateway.observe.audit.fields import ECS_VERSION
from gateway.observe.redaction import Redactor

EventDict = MutableMapping[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

REDACTOR: Final = Redactor()
"""The redactor of this process; the configuration teaches it every resolved secret."""


class Told(Protocol):
    """As much of a request's trail as its log lines hold."""

    request_id: str
    trace_id: str | None
    site: str | None
    route: str | None


CURRENT: Final[ContextVar[Told | None]] = ContextVar("gateway_request", default=None)
"""The request that is being answered; set once per request, read only when a line is written."""
_REQUEST_WORDS: Final = ("request_id", "trace_id", "site", "route")
_MAX_FRAMES: Final = 12
_QUIET: Final = {"aiohttp.access": logging.CRITICAL, "aiohttp": logging.WARNING, "asyncio": logging.WARNING}
_ECS_NAMES: Final = {
    "event": "message", "level": "log.level", "logger": "log.logger", "timestamp": "@timestamp",
    "request_id": "http.request.id",
    "trace_id": "trace.id", "site": "gateway.site", "route": "gateway.route", "reason": "event.reason",
}  # fmt: skip


def configure(
    *, level: str = "INFO", stream: TextIO | None = None, pretty: bool | None = None, node: str = "node",
    redactor: Redactor = REDACTOR,
) -> None:  # fmt: skip
    """Set up logging for this process; `pretty` None means: pretty on a terminal.
    Raises ValueError for an unknown level.
    """
    target = stream or sys.stderr
    is_pretty = target.isatty() if pretty is None else pretty
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _request_words,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_without_text,
        _Redact(redactor),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=target.isatty())]
        if is_pretty
        else [
            _EcsNames(node),
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str).decode()),
        ]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        keep_exc_info=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    logging.captureWarnings(capture=True)


def _request_words(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add which request a line belongs to, unless the line says so itself."""
    told = CURRENT.get()
    if told is not None:
        for name in _REQUEST_WORDS:
            value = getattr(told, name)
            if value is not None:
                event.setdefault(name, value)
    return event


def _exception_without_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type, our code if it has one, and the places it passed:
    messages of others carry URLs.
    """
    info = event.pop("exc_info", None)
    if not info:
        return event
    error = _error_of(info)
    if error is None:
        return event
    event["error.type"] = type(error).__name__
    code = getattr(error, "code", None)
    if isinstance(code, str):
        event["error.code"] = code
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    event["error.stack"] = [
        f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames
    ]
    return event


def _error_of(info: object) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        return info[1] if isinstance(info[1], BaseException) else None
    return sys.exc_info()[1]


class _Redact:
    """The redaction step; it also takes the formatted record's raw parts out of reach."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        hidden = {name: event[name] for name in ("_record", "_from_structlog") if name in event}
        record = hidden.get("_record")
        if isinstance(record, logging.LogRecord):
            record.exc_info, record.exc_text, record.stack_info = None, None, None
        event.pop("stack_info", None)
        clean = self._redactor.fields({name: value for name, value in event.items() if name not in hidden})
        return {**clean, **hidden}


class _EcsNames:
    """Renames the fields to those of ECS and adds who speaks."""

    def __init__(self, node: str) -> None:
        self._constant = {"ecs.version": ECS_VERSION, "service.name": "gateway", "service.version": __version__,
                          "service.node.name": node}  # fmt: skip

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        named = {_ECS_NAMES.get(name, name): value for name, value in event.items()}
        return {"@timestamp": named.pop("@timestamp", ""), **named, **self._constant}
