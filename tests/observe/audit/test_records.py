"""Every constructor makes a record of its action that keeps to the schema, and no foreign text passes unclean."""

import inspect
from collections.abc import Callable
from typing import Any

import jsonschema
import orjson
import pytest

from gateway.observe.audit import records
from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.chain import Position
from gateway.observe.audit.encode import Encoder
from gateway.observe.audit.records import Record, clean, cut_ip, iso, subject
from gateway.observe.audit.schema import json_schema
from tests.observe.audit.making import START

WHO = subject(site="shop", client_ip="192.0.2.77", client_ref="c20261118:" + "a" * 24, user="p202611:" + "b" * 24,
              session_ref="h:" + "c" * 32)  # fmt: skip
SAMPLES: dict[str, Any] = {
    "at": START, "who": WHO, "expires_at": START + 60, "session_ref": "h:" + "d" * 32, "token_ref": "h:" + "e" * 32,
    "reason": "logout", "status": 200, "duration_s": 0.5, "upstream_s": 0.4, "request_bytes": 1, "response_bytes": 2,
    "responder": "gateway", "scopes": ["b", "a"], "attempts": 2, "code": 1000, "initiator": "client", "messages":
    3, "bytes_": 4,
    "sha256": "0" * 64, "version": 1, "config_sha256": "0" * 64, "changed_keys": ["a.b"], "keys": ["a.b"], "pid": 7,
    "predecessors": ["x"], "count": 3,
}  # fmt: skip
MAKERS = [
    getattr(records, name) for name in dir(records)
    if inspect.isfunction(getattr(records, name)) and inspect.signature(getattr(records, name)).return_annotation is
    Record
    and name not in ("sealing", "_record")
]  # fmt: skip
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def document_of(record: Record) -> dict[str, Any]:
    encoder = Encoder(version="1", node="n", writer="n-w")
    document: dict[str, Any] = orjson.loads(encoder.line(record, Position.start("d/w")))
    return document


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_record_with_every_argument_keeps_to_the_schema(maker: Callable[..., Record]) -> None:
    arguments = {name: SAMPLES.get(name, "word") for name in inspect.signature(maker).parameters}
    VALIDATOR.validate(document_of(maker(**arguments)))


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_record_with_the_least_arguments_keeps_to_the_schema(maker: Callable[..., Record]) -> None:
    needed = {name: SAMPLES.get(name, "word") for name, item in inspect.signature(maker).parameters.items()
              if item.default is inspect.Parameter.empty}  # fmt: skip
    VALIDATOR.validate(document_of(maker(**needed)))


def test_every_action_of_the_data_path_has_a_constructor() -> None:
    made = {
        maker(**{name: SAMPLES.get(name, "word") for name in inspect.signature(maker).parameters}).action.name
        for maker in MAKERS
    }
    assert made == {name for name in ACTIONS if not name.startswith("audit.")} | {"audit.read"}


@pytest.mark.parametrize(
    ("address", "cut"),
    [("192.0.2.77", "192.0.2.0"), ("2001:db8:1:2::5", "2001:db8:1::"), ("::ffff:192.0.2.77", "192.0.2.0"),
     ("fe80::1%eth0", "fe80::"), ("/run/socket", "unknown"), ("", "unknown")],
)  # fmt: skip
def test_an_address_loses_its_host_part(address: str, cut: str) -> None:
    assert cut_ip(address) == cut


@pytest.mark.parametrize(
    ("text", "shown"),
    [("https://shop.example", "https://shop.example"), ("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("\u202eevil",
        "\\u202eevil"),
     ("\ud800", "\\ud800"), ("caf\u00e9", "caf\u00e9"), ("a" * 300, "a" * 255), ("\x7f", "\\x7f"),
     ("https://u:p@h/x?token=abc", "https://[redacted]@h/x?[redacted]"), ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA",
         "[jwt]")],
)  # fmt: skip
def test_foreign_text_is_one_clean_line(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_times_are_utc_with_microseconds() -> None:
    assert iso(START + 0.5) == "2026-11-18T11:06:40.500000Z"
