"""Searching and counting."""

from pathlib import Path

import pytest

from gateway.observe.audit import records
from gateway.observe.audit.query import Filter, count, parsed, search
from gateway.observe.audit.records import subject
from tests.observe.audit.making import START, Hand, Made, use


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    who = subject(site="shop", client_ip="192.0.2.1", user="p202611:" + "1" * 24)
    Made(tmp_path, tag=b"\0\0\0\1").write(
        [use(1, START + 2), records.origin_denied(at=START + 4, who=who, reason="origin.null")]
    ).close()
    Made(tmp_path, tag=b"\0\0\0\2", hand=Hand(START + 0)).write(
        [
            use(2, START + 3),
            records.token_minted(
                at=START + 5, who=who, token_ref="h:" + "a" * 32, client="closer", expires_at=START + 60, request_id="q"
            ),
        ]
    ).crash()
    return tmp_path


def found(directory: Path, **named: object) -> list[str]:
    wanted = Filter(**named)  # type: ignore[arg-type]  # a test names the filters it means
    return [
        item.document["event.action"]
        for item in search([directory], wanted)
        if not item.document["event.action"].startswith("audit.")
    ]


def test_writers_come_as_one_stream_by_time(directory: Path) -> None:
    assert found(directory) == ["proxy.allowed", "proxy.allowed", "origin.denied", "token.minted"]


@pytest.mark.parametrize(
    ("named", "actions"),
    [
        ({"actions": frozenset(["origin.denied"])}, ["origin.denied"]), ({"outcome": "failure"}, ["origin.denied"]),
        ({"reasons": frozenset(["origin.null"])}, ["origin.denied"]), ({"site": "other"}, []),
        ({"users": frozenset(["p202611:" + "1" * 24])}, ["origin.denied", "token.minted"]),
        ({"refs": frozenset(["h:" + "a" * 32])}, ["token.minted"]), ({"request": "r2"}, ["proxy.allowed"]),
        ({"since": START + 4}, ["origin.denied", "token.minted"]), ({"until": START + 2.5}, ["proxy.allowed"]),
        ({"trace": "none"}, []), ({"conversation": "none"}, []),
    ],
)  # fmt: skip
def test_filters(directory: Path, named: dict[str, object], actions: list[str]) -> None:
    assert found(directory, **named) == actions


def test_counting_by_group_and_time(directory: Path) -> None:
    rows = count(search([directory], Filter(actions=frozenset(["proxy.allowed", "token.minted"]))), ["action"], 2)
    assert rows == [
        (("2026-11-18T11:06:42Z", "proxy.allowed"), 2), (("2026-11-18T11:06:44Z", "token.minted"), 1),
    ]  # fmt: skip


def test_a_torn_line_is_no_record() -> None:
    assert parsed(b'{"@times') is None
    assert parsed(b"[]") is None


def test_a_filter_says_what_was_asked_but_nobodys_name() -> None:
    said = str(Filter(actions=frozenset(["a"]), users=frozenset(["p202611:secret"]), since=START))
    assert said == "action=a users=1 since=2026-11-18T11:06:40.000000Z"
    assert str(Filter()) == "everything"
