"""Searching and counting."""

from pathlib import Path

import orjson
import pytest

from gateway.observe.audit import records
from gateway.observe.audit.export import FORMATS
from gateway.observe.audit.query import Filter, count, deeds, parsed, search
from gateway.observe.audit.records import Record, subject
from tests.observe.audit.making import START, Hand, Made, lines_of, use


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
        ({"trace": "none"}, []), ({"conversation": "none"}, []), ({"backends": frozenset(["none"])}, []),
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


def spoilt(line: bytes) -> list[bytes]:
    """A line in ways in which somebody could spoil it; each is JSON still."""
    whole = orjson.loads(line)
    changes: list[dict[str, object]] = [
        {"@timestamp": "2026"}, {"@timestamp": 7}, {"@timestamp": "2026-13-40T99:00:00.000000Z"},
        {"event.action": "nothing.known"}, {"event.action": ["proxy.allowed"]}, {"event.sequence": "x"},
        {"gateway.writer": None}, {"gateway.ref.token": ["x"]}, {"event.category": [{}]}, {"service.version": 1},
    ]  # fmt: skip
    lacking = [{name: value for name, value in whole.items() if name != gone} for gone in ("event.id", "gateway.route")]
    return [orjson.dumps(one) for one in (*({**whole, **change} for change in changes), *lacking)] + [b"{}", b"null"]


def test_a_spoilt_line_hides_itself_only_and_is_told(tmp_path: Path) -> None:
    made = Made(tmp_path).write([use(number) for number in range(3)]).close()
    lines = lines_of(made.path)
    at = next(number for number, line in enumerate(lines) if b'"proxy.allowed"' in line)
    assert [parsed(line[:-1]) is not None for line in lines] == [True] * len(lines)
    for line in spoilt(lines[at]):
        made.path.write_bytes(b"".join([*lines[:at], line + b"\n", *lines[at + 1 :]]))
        told: list[Path] = []
        found = list(search([tmp_path], Filter(), told.append))
        assert (len(found), told) == (len(lines) - 1, [made.path]), line
        for item in found:
            assert all(form(item.line, item.document) for form in FORMATS.values())
        assert sum(number for _, number in count(found, ["action", "reason"], 300)) == len(found)


def test_a_line_that_a_crash_tore_is_nobodys_fault(tmp_path: Path) -> None:
    made = Made(tmp_path).write([use(1)]).crash()
    made.path.write_bytes(made.path.read_bytes() + b'{"@timestamp":"2026-11-18T')
    told: list[Path] = []
    assert list(search([tmp_path], Filter(), told.append))
    assert told == []


def test_a_filter_says_what_was_asked_but_nobodys_name() -> None:
    said = str(
        Filter(actions=frozenset(["a"]), users=frozenset(["p202611:secret"]), backends=frozenset(["crm"]), since=START)
    )
    assert said == "action=a backend=crm users=1 since=2026-11-18T11:06:40.000000Z"
    assert str(Filter()) == "everything"


def done(directory: Path, ref: str) -> list[str]:
    """What was done by whoever held what the reference stands for, as `action request`."""
    named = list(search([directory], Filter(refs=frozenset([ref]))))
    return [f"{i.document['event.action']} {i.document.get('http.request.id')}" for i in deeds([directory], named)]


def test_what_a_handle_did_is_what_its_session_did(tmp_path: Path) -> None:
    first, second, own, other = ("h:" + letter * 32 for letter in "abcd")
    who, stranger = (subject(site="shop", session_ref=ref) for ref in (own, other))

    def issued(at: float, handle: str, request: str) -> Record:
        return records.session_issued(
            at=at, who=who, session_ref=own, token_ref=handle, request_id=request, auth_method="oidc",
            expires_at=START + 60,
        )  # fmt: skip

    Made(tmp_path).write([
        issued(START, first, "1"),
        records.proxy_denied(at=START + 1, who=who, reason="route.unknown", request_id="2"),
        records.proxy_denied(at=START + 2, who=stranger, reason="route.unknown", request_id="3"),
        issued(START + 3, second, "4"),
        records.proxy_denied(at=START + 4, who=subject(site="shop"), reason="route.unknown", request_id="5"),
    ]).close()  # fmt: skip
    whole = ["session.issued 1", "proxy.denied 2", "session.issued 4"]
    assert [done(tmp_path, ref) for ref in (first, second, own)] == [whole] * 3
    assert done(tmp_path, "h:" + "e" * 32) == []


def test_what_a_handle_of_a_backend_did_is_what_the_backend_did_while_it_was_good(tmp_path: Path) -> None:
    ref, nobody = "h:" + "a" * 32, subject(client_ip="192.0.2.9")
    calls = [
        records.proxy_denied(at=START + second, who=nobody, reason="route.unknown", backend=backend, request_id=backend)
        for second, backend in ((1, "crm"), (2, "bot"), (99, "crm"))
    ]
    minted = records.token_minted(
        at=START, who=nobody, token_ref=ref, client="crm", backend="crm", expires_at=START + 60, request_id="1"
    )
    Made(tmp_path).write([minted, *calls]).close()
    assert done(tmp_path, ref) == ["token.minted 1", "proxy.denied crm"]


def test_a_token_of_genesys_did_the_calls_that_name_it_and_no_other(tmp_path: Path) -> None:
    ref, nobody = "h:" + "a" * 32, subject(site="shop")
    Made(tmp_path).write([
        records.token_minted(at=START, who=nobody, token_ref=ref, client="closer", expires_at=START + 60),
        records.proxy_upstream_error(at=START, who=nobody, error="token.rejected", token_ref=ref, request_id="1"),
        records.proxy_upstream_error(at=START, who=nobody, error="upstream.timeout", request_id="2"),
    ]).close()  # fmt: skip
    assert done(tmp_path, ref) == ["token.minted None", "proxy.upstream_error 1"]


def test_a_conversation_that_is_hidden_is_found_by_its_reference(tmp_path: Path) -> None:
    hidden = "h:" + "c" * 32
    made = use(1)._replace(said={**use(1).fields, "gateway.conversation": hidden})
    Made(tmp_path).write([made, use(2)]).close()
    assert done(tmp_path, hidden) == ["proxy.allowed r1"]
