"""Every constructor makes a record of its action that keeps to the schema, and no foreign text passes unclean."""

import ast
import inspect
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.audit import records
from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.chain import Position
from gateway.observe.audit.encode import Encoder
from gateway.observe.audit.records import Record, cut_ip, iso, subject
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
    "predecessors": ["x"], "count": 3, "statuses": ["200=3"], "summed": {"http.request.bytes": 7},
    "tokens": ["h:" + "e" * 32], "conversations": ["c1"],
}  # fmt: skip
SOURCE = Path(str(records.__file__)).with_name("records.py")
"""Compiled functions do not tell what they return: so it is read."""
MAKERS = [
    getattr(records, node.name) for node in ast.parse(SOURCE.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.returns is not None and ast.unparse(node.returns) == "Record"
    and node.name not in ("sealing", "_record")
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
     ("fe80::1%eth0", "fe80::"), ("/run/socket", "unknown"), ("", "unknown"), ("192.0.2.7\n", "unknown"),
     ("192.0.2.7%eth0", "192.0.2.0"), ("192.0.2.256", "unknown"), ("192.0.02.7", "unknown"), ("192.0.2", "unknown")],
)  # fmt: skip
def test_an_address_loses_its_host_part(address: str, cut: str) -> None:
    assert cut_ip(address) == cut


@given(st.ip_addresses(v=4).map(str))
def test_every_address_of_ipv4_is_cut_to_its_network(address: str) -> None:
    assert cut_ip(address) == str(IPv4Network((address, 24), strict=False).network_address)


def test_a_carried_call_says_the_same_whether_or_not_its_words_are_plain() -> None:
    named: dict[str, Any] = {
        "at": START, "who": WHO, "route": "r", "method": "POST", "path": "/p/{id}", "status": 200,
        "request_bytes": 1, "response_bytes": 2, "region": "eu", "responder": "upstream", "duration_s": 0.5,
        "upstream_s": 0.25, "backend": "crm", "token_ref": "h:" + "e" * 32, "trace_id": "f" * 32,
        "conversation": "c-1",
    }  # fmt: skip
    plain = records.proxy_allowed(request_id="r1", **named)
    foreign = records.proxy_allowed(request_id='r"1', **named)
    assert isinstance(plain.said, str)
    assert plain.fields | {"http.request.id": 'r"1'} == foreign.fields
    assert document_of(foreign)["http.request.id"] == 'r"1'
    assert len(plain.fields) == 5 + len(named) - 2 + 1  # of WHO; all named but `at` and `who`; the request id


@pytest.mark.parametrize("foreign", ['"', "\\", "\n", "\u202e", "é", "\x7f", "x" * 5_000])
def test_no_argument_of_a_carried_call_can_add_a_member_or_break_the_line(foreign: str) -> None:
    named = {name: SAMPLES.get(name, "word") for name in inspect.signature(records.proxy_allowed).parameters}
    for name in ("request_id", "conversation", "route", "method", "path", "region", "backend", "trace_id"):
        document = document_of(records.proxy_allowed(**named | {name: f'x{foreign}","event.outcome":"failure'}))
        assert document["event.outcome"] == "success"


def test_times_are_utc_with_microseconds() -> None:
    assert iso(START + 0.5) == "2026-11-18T11:06:40.500000Z"
