"""Other systems read our records."""

import re
from pathlib import Path

import orjson
import pytest

from gateway.observe.audit import records
from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.export import FORMATS, cef, ocsf, syslog_message
from tests.observe.audit.making import START, Made, lines_of, use


@pytest.fixture
def line(tmp_path: Path) -> bytes:
    return lines_of(Made(tmp_path).write([use(1)]).close().path)[1].rstrip(b"\n")


def test_ocsf_has_its_ids_in_order(line: bytes) -> None:
    event = ocsf(orjson.loads(line))
    assert (event["category_uid"], event["class_uid"], event["activity_id"], event["type_uid"]) == (6, 6003, 1, 600301)
    assert event["time"] == int(START * 1000)
    assert event["status_id"] == 1
    assert event["src_endpoint"]["ip"] == "192.0.2.0"
    assert event["metadata"]["sequence"] == 1


@pytest.mark.parametrize("name", list(ACTIONS))
def test_every_action_has_an_ocsf_class(name: str) -> None:
    document = {
        "event.action": name,
        "@timestamp": "2026-11-18T11:06:40.000000Z",
        "event.outcome": ACTIONS[name].outcome,
    }
    event = ocsf(document)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["class_name"]


def test_cef_escapes_what_would_break_it(line: bytes) -> None:
    document = orjson.loads(line) | {"event.action": "a|b", "event.reason": "x=y\\z\nw"}
    text = cef(document)
    assert text.startswith("CEF:0|gateway|gateway|")
    assert "a\\|b" in text
    assert "reason=x\\=y\\\\z\\nw" in text
    assert "\n" not in text


def test_rfc_5424_carries_the_line_itself(line: bytes) -> None:
    message = syslog_message(line, "gw1")
    assert re.match(rb"<110>1 2026-11-18T11:06:40\.000000Z gw1 gateway - proxy\.allowed - \{", message)
    assert message.endswith(line)


def test_refusals_warn() -> None:
    record = records.origin_denied(at=START, who=records.NOBODY, reason="x")
    from gateway.observe.audit.chain import Position
    from gateway.observe.audit.encode import Encoder

    line = Encoder(version="1", node="n", writer="w").line(record, Position.start("d/w"))
    assert syslog_message(line, "n").startswith(b"<108>1 ")


@pytest.mark.parametrize("form", list(FORMATS))
def test_every_format_is_one_line(line: bytes, form: str) -> None:
    text = FORMATS[form](line, orjson.loads(line))
    assert text
    assert "\n" not in text
