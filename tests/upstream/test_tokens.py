"""The broker: one fetch for all, nothing expired, nothing foreign, and back in one step when the login host is back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from gateway.errors import TOKEN_UNAVAILABLE, Refusal
from gateway.upstream.bearer import Bearer, ClientCredentials, TokenKey
from gateway.upstream.http import HttpLeg
from gateway.upstream.login import Denied, Granted, LoginDesk
from gateway.upstream.self_check import TokenOwner
from gateway.upstream.settings import LegSettings
from gateway.upstream.token_state import FetchFailure, Phase, TokenRules
from gateway.upstream.tokens import TokenBroker
from tests.upstream.misbehaving import Peer, upstream_of

CLOSER = ClientCredentials("acme", "eu-west-1", "https://login.example", "closer", "id-1", "new-secret")
DOWN = Denied(FetchFailure.UNAVAILABLE)


@dataclass
class Clock:
    """A monotonic clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Login:
    """A login desk that plays a list of answers, the last one for ever; None means a fresh token of 300 s."""

    script: list[Granted | Denied | None] = field(default_factory=lambda: [None])
    asked: list[tuple[str, str]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, client_id: str, secret: str) -> Granted | Denied:
        self.asked.append((client_id, secret))
        self.arrived.set()
        number = len(self.asked)
        if self.gate is not None:
            await self.gate.wait()
        outcome = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return Granted(f"token-{number}-of-{client_id}", 300) if outcome is None else outcome


@dataclass
class Heard:
    """An observer that writes down what it hears."""

    events: list[str] = field(default_factory=list)

    def served(self, key: TokenKey) -> None:
        self.events.append("served")

    def fetch_started(self, key: TokenKey) -> None:
        self.events.append("started")

    def fetch_succeeded(
        self, key: TokenKey, duration_s: float, life_s: int, previous_secret: bool, reference: str
    ) -> None:
        self.events.append("succeeded with previous" if previous_secret else "succeeded")

    def fetch_failed(self, key: TokenKey, duration_s: float, failure: FetchFailure, alarm: bool) -> None:
        self.events.append(f"failed {failure}{' alarm' if alarm else ''}")

    def rejected(self, key: TokenKey, dropped: bool) -> None:
        self.events.append(f"rejected {dropped}")


async def at_once(_: float) -> None:
    """Sleep without sleeping."""


def broker_of(
    login: Login, clock: Callable[[], float], *clients: ClientCredentials, heard: Heard | None = None
) -> TokenBroker:
    return TokenBroker(
        clients or [CLOSER], lambda _: login, observer=heard, clock=clock, chance=lambda: 0.5, sleep=at_once
    )


async def value_of(broker: TokenBroker, client: str = "closer", org: str = "acme") -> str:
    return (await broker.bearer(org, client)).reveal()


async def refusal_of(broker: TokenBroker) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await broker.bearer("acme", "closer")
    assert caught.value.reason is TOKEN_UNAVAILABLE
    return caught.value


async def test_thousand_first_requests_cause_one_fetch() -> None:
    login, heard = Login(gate=asyncio.Event()), Heard()
    broker = broker_of(login, Clock(), heard=heard)
    tasks = [asyncio.create_task(value_of(broker)) for _ in range(1000)]
    await asyncio.sleep(0)
    assert login.gate is not None
    login.gate.set()
    assert set(await asyncio.gather(*tasks)) == {"token-1-of-id-1"}
    assert (len(login.asked), heard.events.count("started")) == (1, 1)


async def test_renewal_happens_ahead_and_nobody_waits_for_it() -> None:
    login, clock = Login(), Clock()
    broker = broker_of(login, clock)
    assert await value_of(broker) == "token-1-of-id-1"
    clock.now += 300 * 0.85  # chance 0.5: renewal is due in the middle of the last fifth but one
    assert await value_of(broker) == "token-1-of-id-1"
    await broker.warm_up()
    assert (await value_of(broker), len(login.asked)) == ("token-2-of-id-1", 2)


async def test_the_token_at_hand_is_given_without_waiting_while_nothing_else_is_to_be_done() -> None:
    login, clock, heard = Login(), Clock(), Heard()
    broker = broker_of(login, clock, heard=heard)
    assert broker.held("acme", "closer") is None
    assert broker.held("acme", "nobody") is None
    bearer = await broker.bearer("acme", "closer")
    heard.events.clear()
    assert broker.held("acme", "closer") is bearer
    assert broker.held("acme", "closer", slot=1) is None
    assert heard.events == ["served"], "it is counted as each token that is handed out"
    clock.now += 300 * 0.85
    assert broker.held("acme", "closer") is None, "a renewal is due: `bearer` serves it, and fetches"
    assert (await broker.bearer("acme", "closer")) is bearer
    await broker.warm_up()
    renewed = broker.held("acme", "closer")
    assert renewed is not None
    assert broker.reject(renewed)
    assert broker.held("acme", "closer") is None, "Genesys does not take it"
    await broker.bearer("acme", "closer")
    broker.replace([])
    assert broker.held("acme", "closer") is None


async def test_login_host_down_across_expiry_serves_until_then_and_refuses_at_once_after() -> None:
    login, clock = Login([None, DOWN]), Clock()
    broker = broker_of(login, clock)
    await value_of(broker)
    for _ in range(269):
        clock.now += 1.0
        assert await value_of(broker) == "token-1-of-id-1"
        await broker.warm_up()
    assert broker.snapshot()[0].failures > 5
    clock.now = 1000.0 + 270.0
    asked = len(login.asked)
    refusal = await refusal_of(broker)
    assert (refusal.status, refusal.retry_after_s) in {(503, 1), (503, 2), (503, 3)}
    assert len(login.asked) <= asked + 1


async def test_never_more_than_one_attempt_a_second_and_back_in_one_step() -> None:
    login, clock = Login([DOWN]), Clock()
    broker = broker_of(login, clock)
    await refusal_of(broker)
    for _ in range(600):
        clock.now += 0.1
        await refusal_of(broker)
    assert 20 <= len(login.asked) <= 60
    login.script = [None]
    healed_at = clock.now
    while clock.now - healed_at < 3.0:
        clock.now += 0.1
        try:
            await value_of(broker)
            break
        except Refusal:
            continue
    assert clock.now - healed_at <= TokenRules().cap_s + 0.1


async def test_retry_after_is_obeyed() -> None:
    login, clock = Login([Denied(FetchFailure.THROTTLED, 17.0), None]), Clock()
    broker = broker_of(login, clock)
    assert (await refusal_of(broker)).retry_after_s == 17
    clock.now += 16.9
    await refusal_of(broker)
    assert len(login.asked) == 1
    clock.now += 0.2
    assert await value_of(broker)


async def test_garbled_answer_is_asked_again_at_once_and_once() -> None:
    login = Login([Denied(FetchFailure.GARBLED), None])
    assert await value_of(broker_of(login, Clock())) == "token-2-of-id-1"
    login = Login([Denied(FetchFailure.GARBLED)])
    await refusal_of(broker_of(login, Clock()))
    assert len(login.asked) == 2


async def test_invalid_client_is_alarmed_and_not_hammered() -> None:
    login, clock, heard = Login([Denied(FetchFailure.INVALID_CLIENT)]), Clock(), Heard()
    broker = broker_of(login, clock, heard=heard)
    for _ in range(120):
        assert "invalid_client" in str(await refusal_of(broker))
        clock.now += 1.0
    assert len(login.asked) <= 4
    assert heard.events[:2] == ["started", "failed invalid_client alarm"]


async def test_wrong_secret_is_never_served_from_what_another_secret_got() -> None:
    login, clock = Login(), Clock()
    broker = broker_of(login, clock)
    before = await broker.bearer("acme", "closer")
    broker.replace([replace(CLOSER, secret="other-secret")])
    login.script = [Denied(FetchFailure.INVALID_CLIENT)]
    await refusal_of(broker)
    assert broker.snapshot()[0].fingerprint != before.fingerprint


async def test_each_client_org_and_region_has_a_token_of_its_own() -> None:
    login = Login()
    others = [
        replace(CLOSER, client="reader", client_id="id-2"),
        replace(CLOSER, org="other", client_id="id-3"),
        replace(CLOSER, org="us", region="us-east-1", login_url="https://login.us", client_id="id-4"),
    ]
    broker = broker_of(login, Clock(), CLOSER, *others)
    for org, client, client_id in [("acme", "closer", "id-1"), ("acme", "reader", "id-2"), ("other", "closer", "id-3"),
                                   ("us", "closer", "id-4")] * 2:  # fmt: skip
        assert (await value_of(broker, client, org)).endswith(client_id)
    assert len(login.asked) == 4


async def test_failure_is_never_kept_as_a_token() -> None:
    clock = Clock()
    broker = broker_of(Login([DOWN, None]), clock)
    await refusal_of(broker)
    assert broker.snapshot()[0].phase is Phase.NONE
    clock.now += 3
    assert await value_of(broker)


async def test_denial_beats_what_is_held() -> None:
    login, heard = Login(), Heard()
    broker = broker_of(login, Clock(), heard=heard)
    bearer = await broker.bearer("acme", "closer")
    assert [broker.reject(bearer) for _ in range(10)] == [True] * 10
    again = await asyncio.gather(*(broker.bearer("acme", "closer") for _ in range(10)))
    assert {one.reveal() for one in again} == {"token-2-of-id-1"}
    assert (len(login.asked), heard.events.count("rejected True")) == (2, 1)


async def test_call_that_is_always_answered_401_does_not_mint_for_ever() -> None:
    login, clock = Login(), Clock()
    broker = broker_of(login, clock)
    for _ in range(50):
        broker.reject(await broker.bearer("acme", "closer"))
        clock.now += 0.1
    assert len(login.asked) <= 3


async def test_new_secret_is_tried_first_and_the_previous_one_carries_the_overlap() -> None:
    heard = Heard()
    both = replace(CLOSER, previous_secret="old-secret")
    login = Login([Denied(FetchFailure.INVALID_CLIENT), None])
    broker = broker_of(login, Clock(), both, heard=heard)
    await value_of(broker)
    assert [secret for _, secret in login.asked] == ["new-secret", "old-secret"]
    assert heard.events == ["started", "succeeded with previous", "served"]
    assert broker.snapshot()[0].previous_secret is True


async def test_previous_secret_is_not_tried_when_the_host_is_merely_ill() -> None:
    login = Login([DOWN])
    await refusal_of(broker_of(login, Clock(), replace(CLOSER, previous_secret="old-secret")))
    assert [secret for _, secret in login.asked] == ["new-secret"]


async def test_secret_rotated_under_load_loses_nobody() -> None:
    login, heard = Login(gate=asyncio.Event()), Heard()
    broker = broker_of(login, Clock(), heard=heard)
    waiting = [asyncio.create_task(value_of(broker)) for _ in range(100)]
    await login.arrived.wait()
    broker.replace([replace(CLOSER, secret="newer-secret")])
    assert login.gate is not None
    login.gate.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert login.asked[-1] == ("id-1", "newer-secret")
    assert not [event for event in heard.events if event.startswith("failed")]


async def test_reload_that_changes_nothing_keeps_the_token() -> None:
    login = Login()
    broker = broker_of(login, Clock())
    await value_of(broker)
    broker.replace([replace(CLOSER)])
    await value_of(broker)
    assert len(login.asked) == 1
    broker.replace([])
    assert "not configured" in str(await refusal_of(broker))


async def test_a_token_that_cannot_be_recorded_is_dropped_and_asked_for_again() -> None:
    login, clock, heard, told = Login(), Clock(), Heard(), []
    can_record = [False, True]

    async def record(bearer: Bearer, life_s: int) -> bool:
        told.append((bearer.reference, life_s))
        return can_record.pop(0)

    broker = TokenBroker([CLOSER], lambda _: login, record=record, observer=heard, clock=clock)
    assert "unrecorded" in str(await refusal_of(broker))
    assert broker.snapshot()[0].fingerprint is None
    assert heard.events == ["started", "failed unrecorded"]
    clock.now += 10.0
    await value_of(broker)
    assert (len(login.asked), len(told)) == (2, 2)


async def test_token_of_another_organisation_is_never_served() -> None:
    login, heard = Login(), Heard()
    owner = TokenOwner("org-b", "B", "id-1", "closer", "CLIENT-CREDENTIALS", "active")

    async def check(_: ClientCredentials, __: Bearer) -> TokenOwner:
        return owner

    broker = TokenBroker(
        [replace(CLOSER, organization_id="org-a")], lambda _: login, check=check, observer=heard, clock=Clock()
    )
    assert "wrong_organization" in str(await refusal_of(broker))
    assert (broker.snapshot()[0].fingerprint, heard.events) == (None, ["started", "failed wrong_organization alarm"])


async def test_self_check_is_made_once_per_key_and_shown() -> None:
    clock, checked = Clock(), []
    owner = TokenOwner("org-a", "A", "id-1", "closer", "CLIENT-CREDENTIALS", "active", ("role",))

    async def check(credentials: ClientCredentials, bearer: Bearer) -> TokenOwner:
        checked.append(bearer.fingerprint)
        return owner

    broker = TokenBroker([CLOSER], lambda _: Login(), check=check, clock=clock)
    await value_of(broker)
    clock.now += 300
    await value_of(broker)
    assert (len(checked), broker.snapshot()[0].owner) == (1, owner)
    broker.replace([replace(CLOSER, secret="rotated")])
    await value_of(broker)
    assert len(checked) == 2


async def test_token_that_came_when_its_life_was_over_is_not_served() -> None:
    clock = Clock()

    class Slow(Login):
        async def ask(self, client_id: str, secret: str) -> Granted | Denied:
            clock.now += 400
            return Granted("too-late-token", 300)

    assert "timeout" in str(await refusal_of(broker_of(Slow(), clock)))


async def test_whoever_waits_too_long_is_told_to_come_back() -> None:
    login = Login(gate=asyncio.Event())
    broker = broker_of(login, Clock())
    with pytest.raises(Refusal) as caught:
        await broker.bearer("acme", "closer", asyncio.get_running_loop().time() + 0.05)
    assert (caught.value.status, caught.value.retry_after_s) == (503, 1)
    await broker.close()
    await refusal_of(broker)


async def test_snapshot_tells_state_and_time_but_no_secret() -> None:
    clock = Clock()
    broker = broker_of(Login(), clock)
    await value_of(broker)
    clock.now += 100
    view = broker.snapshot()[0]
    assert (view.phase, view.expires_in_s) == (Phase.FRESH, 170)
    assert "token-1" not in repr(view)
    assert "new-secret" not in repr(view)


@pytest.mark.parametrize(
    "wire",
    [b"", b"garbage\r\n\r\n"] + [b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status for status in (200, 503)],
    ids=["cut", "garbage", "empty", "503"],
)
async def test_ill_login_host_over_a_socket_then_healed(wire: bytes) -> None:
    ill = True
    clock = Clock()

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            if ill:
                await peer.send(wire)
                return
            grant = {"access_token": "socket-token", "token_type": "Bearer", "expires_in": 300}
            await peer.answer(json.dumps(grant).encode())

    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, LegSettings())
        desk = LoginDesk(leg)
        broker = TokenBroker([CLOSER], lambda _: desk, clock=clock, sleep=at_once)
        await refusal_of(broker)
        ill = False
        clock.now += TokenRules().cap_s
        assert await value_of(broker) == "socket-token"
        await broker.close()
        await leg.close()
