"""Logs of a few records."""

from pathlib import Path

from gateway.observe.audit.oneoff import write_once
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.records import audit_read
from gateway.observe.audit.verify import verify
from tests.observe.audit.making import START, settings_for, trusting


def test_it_is_a_whole_log_of_its_own(tmp_path: Path) -> None:
    writer = write_once(settings_for(tmp_path / "log"), [audit_read(at=START, query="x", count=1, who_acted="me")])
    report = verify([tmp_path / "log"], trusting())
    assert (report.verdict, [item.writer for item in report.writers]) == ("intact", [writer])
    assert report.writers[0].is_closed
    [read] = search([tmp_path / "log"], Filter(actions=frozenset(["audit.read"])))
    assert read.document["gateway.admin.who"] == "me"
