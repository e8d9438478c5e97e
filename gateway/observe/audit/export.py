"""A record in the forms that other systems read: OCSF, CEF, RFC 5424, and a line for people. Pure.

The sealed line stays the authority: a converted record carries writer and sequence, which lead back to it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from gateway import __version__
from gateway.observe.audit.actions import ACTIONS, Action
from gateway.observe.audit.times import parse_time

Document = Mapping[str, Any]
_FACILITY_AUDIT: Final = 13  # RFC 5424, section 6.2.1: log audit
_INFORMATIONAL, _WARNING, _NOTICE = 6, 4, 5
_OCSF_VERSION: Final = "1.6.0"
_CATEGORY: Final = {3: "Identity & Access Management", 4: "Network Activity", 6: "Application Activity"}
_CLASS: Final = {
    3002: "Authentication", 3003: "Authorize Session", 3004: "Entity Management", 4002: "HTTP Activity",
    6002: "Application Lifecycle", 6003: "API Activity",
}  # fmt: skip
_API_ACTIVITY: Final = {"POST": 1, "GET": 2, "HEAD": 2, "PUT": 3, "PATCH": 3, "DELETE": 4}
_HTTP_ACTIVITY: Final = {
    "CONNECT": 1,
    "DELETE": 2,
    "GET": 3,
    "HEAD": 4,
    "OPTIONS": 5,
    "POST": 6,
    "PUT": 7,
    "TRACE": 8,
    "PATCH": 9,
}


def _severity_of(document: Document) -> int:
    """OCSF severity: 1 informational, 3 medium for refusals and failures."""
    return 1 if document.get("event.outcome") == "success" else 3


def _activity_of(row: Action, document: Document) -> int:
    """The activity of the row; for a call, that of its method."""
    method = str(document.get("http.request.method", ""))
    table = {6003: _API_ACTIVITY, 4002: _HTTP_ACTIVITY}.get(row.ocsf[0], {})
    return table.get(method, row.ocsf[1])


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != {}}


def ocsf(document: Document) -> dict[str, Any]:
    """Return the record as an OCSF event. https://schema.ocsf.io"""
    row = ACTIONS[document["event.action"]]
    class_uid = row.ocsf[0]
    activity = _activity_of(row, document)
    time_ms = int(parse_time(document["@timestamp"]) * 1000)
    duration = document.get("event.duration")
    get = document.get
    return _present({
        "category_uid": class_uid // 1000, "category_name": _CATEGORY[class_uid // 1000], "class_uid": class_uid,
        "class_name": _CLASS[class_uid], "activity_id": activity, "type_uid": class_uid * 100 + activity,
        "time": time_ms, "severity_id": _severity_of(document),
        "status_id": 1 if get("event.outcome") == "success" else 2, "status_detail": get("event.reason"),
        "duration": None if duration is None else duration // 1_000_000, "message": row.name,
        "metadata": _present({
            "version": _OCSF_VERSION, "uid": get("event.id"), "sequence": get("event.sequence"), "log_name": "audit",
            "correlation_uid": get("http.request.id"), "log_provider": get("gateway.writer"),
            "product": {"name": "gateway", "vendor_name": "gateway", "version": get("service.version", __version__)},
        }),
        "actor": _present({"user": _present({"uid": get("user.id")}),
            "session": _present({"uid": get("gateway.ref.session")}),
                           "app_name": get("gateway.backend")}),
        "user": _present({"uid": get("user.id") or get("gateway.admin.who")}),
        "src_endpoint": _present({"ip": get("client.ip"), "uid": get("gateway.ref.client")}),
        "api": _present({"operation": get("gateway.route") or row.name, "service": {"name": get("gateway.site",
            "gateway")},
                         "response": _present({"code": get("http.response.status_code")})}),
        "http_request": _present({"http_method": get("http.request.method"), "length": get("http.request.bytes"),
                                  "url": _present({"path": get("url.path")})}),
        "http_response": _present({"code": get("http.response.status_code"), "length": get("http.response.bytes")}),
        "unmapped": {name: value for name, value in document.items() if name.startswith(("gateway.", "error.",
            "trace."))},
    })  # fmt: skip


def _cef_head(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("\r", " ")


def _cef_value(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n").replace("\r", "\\r")


_CEF_FIELDS: Final = (
    ("externalId", "event.id"), ("src", "client.ip"), ("suser", "user.id"), ("requestMethod", "http.request.method"),
    ("request", "url.path"), ("in", "http.request.bytes"), ("out", "http.response.bytes"), ("reason", "event.reason"),
    ("outcome", "event.outcome"), ("dvchost", "service.node.name"), ("cs1", "gateway.site"), ("cs2", "gateway.route"),
    ("cs3", "gateway.ref.session"), ("cs4", "http.request.id"), ("cs5", "gateway.writer"),
    ("cn1", "http.response.status_code"), ("cn2", "event.sequence"),
)  # fmt: skip
_CEF_LABELS: Final = {
    "cs1": "site", "cs2": "route", "cs3": "session", "cs4": "requestId", "cs5": "writer", "cn1": "status",
    "cn2": "sequence",
}  # fmt: skip


def cef(document: Document) -> str:
    """Return the record as one line of the Common Event Format, version 0."""
    action = document["event.action"]
    severity = 3 if document.get("event.outcome") == "success" else 6
    head = "|".join(
        _cef_head(str(part)) for part in ("gateway", "gateway", document["service.version"], action, action, severity)
    )
    pairs = [f"rt={int(parse_time(document['@timestamp']) * 1000)}"]
    for key, name in _CEF_FIELDS:
        if name in document:
            pairs.append(f"{key}={_cef_value(document[name])}")
            if key in _CEF_LABELS:
                pairs.append(f"{key}Label={_CEF_LABELS[key]}")
    return f"CEF:0|{head}|{' '.join(pairs)}"


def syslog_message(line: bytes, node: str) -> bytes:
    """Return the line as an RFC 5424 message: facility 13, the action as MSGID, the JSON itself as message."""
    document = orjson.loads(line)
    severity = _INFORMATIONAL if document.get("event.outcome") == "success" else _WARNING
    if document["event.action"].startswith("audit."):
        severity = min(severity, _NOTICE)
    priority = _FACILITY_AUDIT * 8 + severity
    head = f"<{priority}>1 {document['@timestamp']} {node} gateway - {document['event.action'][:32]} - "
    return head.encode("ascii") + line


_TABLE: Final = (
    "gateway.site",
    "gateway.backend",
    "gateway.token.kind",
    "gateway.route",
    "http.response.status_code",
    "event.reason",
    "user.id",
    "gateway.ref.session",
)


def table_line(document: Document) -> str:
    """Return the record as one line for people."""
    time, action = document["@timestamp"][:23], document["event.action"]
    return f"{time} {action:20} " + " ".join(str(document[name]) for name in _TABLE if name in document)


FORMATS: Final[dict[str, Callable[[bytes, Document], str]]] = {
    "jsonl": lambda line, _: line.decode(),
    "table": lambda _, document: table_line(document),
    "ocsf": lambda _, document: orjson.dumps(ocsf(document)).decode(),
    "cef": lambda _, document: cef(document),
    "rfc5424": lambda line, document: syslog_message(line, document["service.node.name"]).decode(),
}
"""Formats of `gateway audit query`: sealed line and parsed record in, one line of text out."""
