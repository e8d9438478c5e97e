"""Whatever comes in, one valid line comes out."""

import re
import uuid

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.audit.chain import Position
from gateway.observe.audit.encode import Encoder, EventIds
from gateway.observe.audit.records import NOBODY, Record, gateway_stopping, origin_denied
from tests.observe.audit.making import START, use


def known_bytes(count: int) -> bytes:
    return bytes(range(count))


ENCODER = Encoder(version="1.2.3", node="gw1", writer="gw1-w", random=known_bytes)


def line_of(record: Record) -> bytes:
    return ENCODER.line(record, Position.start("d/w"))


def test_the_beginning_is_fixed() -> None:
    line = line_of(use(1))
    assert re.match(
        rb'\{"@timestamp":"2026-11-18T11:06:40\.000000Z","event\.sequence":0,"gateway\.prev":"[A-Za-z0-9+/]{43}=","event\.id":"',
        line,
    )
    assert line.index(b'","event.sequence"') == 42


def test_constant_words_of_the_action_are_there() -> None:
    document = orjson.loads(line_of(use(1)))
    assert (document["event.action"], document["event.outcome"]) == ("proxy.allowed", "success")
    assert (document["service.version"], document["gateway.writer"], document["gateway.schema"]) == (
        "1.2.3",
        "gw1-w",
        "audit/1",
    )


def test_microseconds_are_written_whole() -> None:
    assert orjson.loads(line_of(gateway_stopping(at=START + 0.0625, pid=1)))["@timestamp"].endswith("40.062500Z")


@given(st.text(max_size=600))
def test_foreign_text_never_breaks_the_line(text: str) -> None:
    line = line_of(origin_denied(at=START, who=NOBODY, reason="x", origin=text))
    assert b"\n" not in line
    origin = orjson.loads(line).get("gateway.origin", "")
    assert origin.isprintable()
    assert len(origin) <= 255


@given(st.dictionaries(st.sampled_from(["http.request.id", "gateway.route", "url.path"]), st.text(max_size=400)))
def test_even_a_record_made_past_the_constructors_is_one_clean_line(fields: dict[str, str]) -> None:
    record = Record(use(1).action, START, dict(fields))
    document = orjson.loads(line_of(record))
    assert all(document[name].isprintable() for name in fields)


def test_a_lone_surrogate_and_a_huge_number_are_survived() -> None:
    record = Record(use(1).action, START, {"url.path": "\ud800", "http.request.bytes": 2**70})
    document = orjson.loads(line_of(record))
    assert (document["url.path"], document["http.request.bytes"]) == ("\\ud800", -1)


def test_ids_are_uuids_of_version_7_in_order_of_time_and_none_comes_twice() -> None:
    ids = EventIds(lambda count: b"\xff" * count)
    milli = int(START * 1000)
    found = [ids.id(milli, 0), ids.id(milli + 1, 0), ids.id(milli + 1, 1)]
    one, two = uuid.UUID(found[0]), uuid.UUID(found[1])
    assert (one.version, one.variant) == (7, uuid.RFC_4122)
    assert int(found[0].replace("-", "")[:12], 16) == milli
    assert one < two
    assert len(set(found)) == 3


def test_the_id_of_a_record_is_that_of_its_moment_and_number() -> None:
    milli = int(START * 1000) + 62
    ids = EventIds(known_bytes)
    assert orjson.loads(line_of(gateway_stopping(at=START + 0.0625, pid=1)))["event.id"] == ids.id(milli, 0)


def test_a_batch_gives_the_lines_that_its_records_give_one_by_one() -> None:
    records = [use(1), gateway_stopping(at=START, pid=1), use(2, START + 1.5)]
    position, single = Position.start("d/w"), Position.start("d/w")
    batch = [line for _, line in ENCODER.write(records, position)]
    for record, line in zip(records, batch, strict=True):
        assert ENCODER.line(record, single) == line
        single.advance(line)
    assert (position.sequence, position.leaf, position.edge.root()) == (3, single.leaf, single.edge.root())
