"""The client alone, without a panel: it stays connected, sends exactly once, renews, and obeys limits and refusals."""

from typing import Any

import pytest

from tests.static.conftest import Visit
from tests.static.stand_in import DEPLOYMENT_ID

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

QUICK = "timing: { backoffBaseMs: 20, backoffCapMs: 60 }"
EAGER = "timing: { backoffBaseMs: 20, backoffCapMs: 60, renewAgainMs: 100 }"
ONLINE = (
    "if (client.state !== 'online')"
    " await new Promise((done) => client.on('state', (now) => now === 'online' && done()));"
)
ALL_SENT = (
    "const sent = () => client.messages.length && client.messages.every(({ state }) => state === 'sent');"
    "if (!sent()) await new Promise((done) => client.on('thread', () => sent() && done()));"
)
TEXTS = "return client.messages.map(({ text, state }) => [text, state]);"


def once_a_message_is(state: str) -> str:
    """JavaScript that waits until some message is in that state."""
    some = f"client.messages.some((message) => message.state === '{state}')"
    return f"await new Promise((done) => client.on('thread', () => {some} && done()));"


async def start(visit: Visit, options: str = QUICK, then: str = f"client.connect(); {ONLINE}") -> Any:
    """A page with nothing on it but a client."""
    visit.site.tag = "data-lazy"
    await visit.page.goto(visit.site.url)
    return await visit.run(visit.client_script(options) + then)


async def test_the_first_frame_configures_the_session_of_the_deployment(visit: Visit) -> None:
    await start(visit)
    first = visit.gateway.frames[0]
    assert (first["action"], first["deploymentId"]) == ("configureSession", DEPLOYMENT_ID)


async def test_each_connection_has_a_fresh_ticket(visit: Visit) -> None:
    await start(visit)
    await visit.gateway.close_sockets(1012)
    await visit.gateway.until(lambda: len(visit.gateway.frames) >= 2)
    assert len(visit.gateway.asked("ticket")) == 2
    assert visit.gateway.tickets == {}


async def test_a_message_written_before_the_connection_waits_and_is_sent(visit: Visit) -> None:
    result = await start(visit, then=f"client.send('early'); {ALL_SENT} {TEXTS}")
    assert result == [["early", "sent"]]
    assert visit.gateway.sent() == ["early"]


async def test_a_message_cut_off_after_it_arrived_is_not_sent_again(visit: Visit) -> None:
    visit.gateway.cut_after_storing = 1
    await start(visit, then=f"client.send('once'); {ALL_SENT} {TEXTS}")
    assert visit.gateway.stored() == ["once"]
    assert visit.gateway.sent() == ["once"]


async def test_a_history_without_marks_still_tells_that_it_arrived(visit: Visit) -> None:
    visit.gateway.cut_after_storing = 1
    visit.gateway.keep_metadata = False
    await start(visit, then=f"client.send('once'); {ALL_SENT} {TEXTS}")
    assert visit.gateway.stored() == ["once"]


async def test_a_message_cut_off_before_it_arrived_is_sent_again(visit: Visit) -> None:
    visit.gateway.cut_before_storing = 1
    await start(visit, then=f"client.send('again'); {ALL_SENT} {TEXTS}")
    assert visit.gateway.stored() == ["again"]
    assert visit.gateway.sent() == ["again", "again"]


async def test_messages_keep_their_order_over_a_cut(visit: Visit) -> None:
    visit.gateway.cut_after_storing = 1
    result = await start(visit, then=f"for (const text of ['1', '2', '3']) client.send(text); {ALL_SENT} {TEXTS}")
    assert [text for text, _ in result] == ["1", "2", "3"]
    assert visit.gateway.stored() == ["1", "2", "3"]


async def test_without_a_history_an_unconfirmed_message_is_left_to_the_visitor(visit: Visit) -> None:
    visit.gateway.cut_after_storing = 1
    visit.gateway.refuse("history", 404, "route.unknown")
    result = await start(
        visit,
        then=f"client.send('perhaps'); {once_a_message_is('failed')} return client.messages.map((m) => m.reason);",
    )
    assert "message.unconfirmed" in result
    assert visit.gateway.sent() == ["perhaps"]


async def test_messages_are_ordered_by_the_time_at_genesys(visit: Visit) -> None:
    await start(visit)
    await visit.gateway.say("second", minutes=5)
    await visit.gateway.say("first", minutes=-5)
    await visit.page.wait_for_function("client.messages.length === 2")
    assert await visit.run("return client.messages.map(({ text }) => text);") == ["first", "second"]


async def test_the_same_message_heard_twice_stands_once(visit: Visit) -> None:
    await start(visit)
    await visit.gateway.say("hello")
    await visit.gateway.push("StructuredMessage", visit.gateway.sockets[0][1].messages[0])
    await visit.gateway.say("end")
    await visit.page.wait_for_function("client.messages.some(({ text }) => text === 'end')")
    assert await visit.run("return client.messages.map(({ text }) => text);") == ["hello", "end"]


async def test_no_more_than_five_messages_go_out_in_a_second(visit: Visit) -> None:
    script = (
        f"{ONLINE} for (let n = 0; n < 7; n += 1) client.send(String(n)); return client.messages.map((m) => m.state);"
    )
    states = await start(visit, then=f"client.connect(); {script}")
    assert states == ["sending"] * 5 + ["waiting"] * 2
    await visit.gateway.until(lambda: len(visit.gateway.sent()) == 7)
    assert visit.gateway.sent() == [str(number) for number in range(7)]


async def test_typing_is_told_once_in_five_seconds(visit: Visit) -> None:
    await start(
        visit, then=f"client.connect(); {ONLINE} client.typing(); client.typing(); client.send('x'); {ALL_SENT}"
    )
    kinds = [frame["message"]["type"] for frame in visit.gateway.frames if frame["action"] == "onMessage"]
    assert kinds == ["Event", "Text"]


async def test_too_many_requests_are_obeyed_and_the_message_is_sent_later(visit: Visit) -> None:
    answers = [{"kind": "TooManyRequestsErrorMessage", "body": {"retryAfter": 1, "errorCode": 4029}, "code": 429}]
    visit.gateway.answer_message = lambda _: answers.pop() if answers else None
    script = f"const at = performance.now(); client.send('slow'); {ALL_SENT} return performance.now() - at;"
    took_ms = await start(visit, then=f"client.connect(); {ONLINE} {script}")
    assert took_ms >= 990
    assert visit.gateway.sent() == ["slow", "slow"]
    assert visit.gateway.stored() == ["slow"]


@pytest.mark.parametrize("code", [4011, 4013])
async def test_a_refused_message_is_marked_and_the_next_one_goes_through(visit: Visit, code: int) -> None:
    refusals: list[dict[str, Any]] = [{"kind": "string", "body": "no", "code": code}]
    visit.gateway.answer_message = lambda _: refusals.pop() if refusals else None
    await start(
        visit, then=f"client.connect(); {ONLINE} client.send('bad'); client.send('good'); {once_a_message_is('sent')}"
    )
    states = await visit.run("return client.messages.map((m) => [m.text, m.state, m.reason]).sort();")
    assert states == [["bad", "failed", f"genesys.{code}"], ["good", "sent", ""]]


async def test_a_text_that_is_too_long_is_refused_at_once(visit: Visit) -> None:
    script = "try { client.send('é'.repeat(2049)); } catch (problem) { return problem.code; }"
    assert await start(visit, then=script) == "message.too_long"


async def test_the_session_is_renewed_before_it_ends(visit: Visit) -> None:
    visit.gateway.expires_in = 1
    await start(visit)
    await visit.gateway.until(lambda: len(visit.gateway.asked("session")) >= 2)
    first, second = visit.gateway.asked("session")[:2]
    assert first["authorization"] == ""
    assert second["authorization"].startswith("Bearer gws_")
    assert len(visit.gateway.asked("ticket")) == 1


async def test_a_renewal_that_fails_for_a_while_holds_the_message_back_and_loses_nothing(visit: Visit) -> None:
    visit.gateway.expires_in = 1
    await start(visit, options=EAGER)
    visit.gateway.refuse("session", 503, "store.unavailable")
    await visit.gateway.until(lambda: len(visit.gateway.asked("session")) >= 2)
    visit.gateway.expires_in = 900
    await visit.run(f"client.send('held'); {ALL_SENT}")
    assert visit.gateway.stored() == ["held"]


async def test_a_session_that_was_lost_is_replaced_and_what_was_written_is_sent(visit: Visit) -> None:
    await start(visit)
    visit.gateway.sessions.clear()
    visit.gateway.cut_before_storing = 1
    await visit.run(f"client.send('kept'); {ALL_SENT}")
    assert visit.gateway.stored() == ["kept"]
    assert visit.gateway.asked("session")[-1]["authorization"] == ""


@pytest.mark.parametrize("kind", ["SessionExpiredEvent", "SessionClearedEvent", "LogoutEvent"])
async def test_an_expired_session_leads_to_a_new_one(visit: Visit, kind: str) -> None:
    await start(visit)
    before = list(visit.gateway.sessions)
    await visit.gateway.push(kind, {})
    await visit.gateway.until(lambda: len(visit.gateway.asked("session")) == 2 and len(visit.gateway.sockets) == 1)
    assert visit.gateway.asked("session")[1]["authorization"] == ""
    assert list(visit.gateway.sessions) != before


async def test_a_downgrade_refused_by_genesys_leads_to_a_new_session(visit: Visit) -> None:
    await start(visit)
    await visit.gateway.push("string", "cannot downgrade", 4017)
    await visit.gateway.until(lambda: len(visit.gateway.asked("session")) == 2)


async def test_a_policy_close_renews_the_handle_and_comes_back(visit: Visit) -> None:
    await start(visit)
    await visit.gateway.close_sockets(1008)
    await visit.gateway.until(lambda: len(visit.gateway.asked("session")) == 2 and len(visit.gateway.sockets) == 1)
    assert visit.gateway.asked("session")[1]["authorization"].startswith("Bearer gws_")


async def test_retry_after_is_waited_for_whatever_the_jitter_says(visit: Visit) -> None:
    visit.gateway.refuse("ticket", 429, "limit.rate", retry_after=1)
    script = f"const at = performance.now(); client.connect(); {ONLINE} return performance.now() - at;"
    assert await start(visit, options=f"{QUICK}, random: () => 0", then=script) >= 990


async def test_the_wait_between_attempts_is_random_up_to_a_doubling_bound(visit: Visit) -> None:
    visit.gateway.refuse("ticket", 503, "server.draining", times=4)
    waits = (
        "const waits = []; const real = window.setTimeout;"
        "window.setTimeout = (act, ms, ...more) => {"
        "  if (ms > 0 && ms < 999 && ms % 7 === 0) waits.push(ms);"
        "  return real(act, ms, ...more); };"
    )
    options = "timing: { backoffBaseMs: 7, backoffCapMs: 56, answerMs: 9999, confirmMs: 9999 }, random: () => 1"
    result = await start(visit, options=options, then=f"{waits} client.connect(); {ONLINE} return waits;")
    assert result == [14, 28, 56, 56]


async def test_a_refused_origin_is_final_and_says_why(visit: Visit) -> None:
    visit.gateway.refuse("session", 403, "origin.not_allowed", times=9)
    refused = "await new Promise((done) => client.on('state', (now) => now === 'refused' && done()));"
    heard = "const heard = []; client.on('problem', ({ code, requestId }) => heard.push([code, requestId]));"
    result = await start(visit, then=f"{heard} client.connect(); {refused} return heard;")
    assert result == [["origin.not_allowed", "req-test-1"]]
    assert len(visit.gateway.asked("session")) == 1


async def test_a_connection_taken_by_another_tab_is_not_fought_for(visit: Visit) -> None:
    await start(visit)
    await visit.gateway.push("ConnectionClosedEvent", {})
    await visit.page.wait_for_function("client.state === 'elsewhere'")
    await visit.run(f"client.connect(); {ONLINE}")
    assert len(visit.gateway.asked("ticket")) == 2


async def test_signing_in_keeps_the_session_and_reconnects_with_it(visit: Visit) -> None:
    await start(visit, then=f"client.send('before'); {ALL_SENT}")
    guest = await visit.run("await client.signIn('ada.jwt'); return client.guest;")
    assert guest == {"id": "guest-of-ada", "verified": True}
    call = visit.gateway.asked("session")[-1]
    assert call["visitor_token"] == "ada.jwt"
    assert call["authorization"].startswith("Bearer gws_")
    await visit.gateway.until(lambda: len(visit.gateway.asked("ticket")) == 2)
    assert await visit.run(f"{ALL_SENT} {TEXTS}") == [["before", "sent"]]


async def test_a_sign_in_that_meets_the_opening_of_a_session_is_not_undone_by_it(visit: Visit) -> None:
    """The answer that opens an anonymous session comes after the sign-in's: it would lower the visitor."""
    late = (
        "const [real, waiting] = [window.fetch, []];"
        "window.fetch = async (url, init) => {"
        "  const answer = await real(url, init);"
        "  if (String(url).endsWith('/session') && !init.body.includes('visitor_token'))"
        "    await new Promise((go) => waiting.push(go));"
        "  return answer;"
        "};"
    )
    both = "const signing = client.signIn('ada.jwt'); client.connect(); await signing; for (const go of waiting) go();"
    assert await start(visit, then=f"{late} {both} {ONLINE} return client.guest.verified;") is True
    assert [call["visitor_token"] for call in visit.gateway.asked("session")] == ["ada.jwt"]


@pytest.mark.parametrize("form", ["async () => 'ada.jwt'", "(give) => { give('ada.jwt'); }", "() => 'ada.jwt'"])
async def test_the_proof_may_be_a_function_of_any_usual_form(visit: Visit, form: str) -> None:
    assert await start(visit, then=f"await client.signIn({form}); return client.guest.verified;") is True


async def test_a_refused_proof_is_told_and_changes_nothing(visit: Visit) -> None:
    await start(visit)
    visit.gateway.refuse("session", 403, "visitor.bad_signature")
    told = "return [code, client.guest.verified, client.state];"
    assert await visit.run(f"try {{ await client.signIn('forged'); }} catch ({{ code }}) {{ {told} }}") == [
        "visitor.bad_signature",
        False,
        "online",
    ]


async def test_a_signed_in_session_that_ended_is_never_replaced_by_an_anonymous_one(visit: Visit) -> None:
    await start(visit, then=f"await client.signIn('ada.jwt'); client.connect(); {ONLINE}")
    await visit.page.reload()
    visit.gateway.sessions.clear()
    await visit.run(visit.client_script(QUICK))
    await visit.page.wait_for_function("client.state === 'signin'")
    assert all("visitor_token" in call or call["authorization"] for call in visit.gateway.asked("session"))


async def test_an_anonymous_session_in_place_of_a_verified_one_is_not_taken(visit: Visit) -> None:
    await start(visit, then=f"await client.signIn('ada.jwt'); client.connect(); {ONLINE}")
    visit.gateway.replaces_dead_sessions = True
    visit.gateway.sessions.clear()
    await visit.gateway.close_sockets(1008)
    await visit.page.wait_for_function("client.state === 'online' && client.guest?.verified")
    assert all(guest.verified for guest in visit.gateway.sessions.values())
    visit.gateway.sessions.clear()
    await visit.page.reload()
    await visit.run(visit.client_script(EAGER))
    visit.gateway.sessions.clear()
    await visit.gateway.close_sockets(1008)
    await visit.page.wait_for_function("client.state === 'signin'")
    assert visit.gateway.sessions == {}


async def test_signing_out_ends_the_session_at_the_gateway_and_empties_the_thread(visit: Visit) -> None:
    await start(visit, then=f"client.send('mine'); {ALL_SENT} await client.signOut();")
    assert visit.gateway.sessions == {}
    assert await visit.run("return [client.messages.length, client.guest, client.state];") == [0, None, "idle"]


async def test_context_rides_inside_the_message_as_strings(visit: Visit) -> None:
    await start(visit, then=f"client.setContext({{ cart: 3, page: '/ink' }}); client.send('hi'); {ALL_SENT}")
    message = next(frame["message"] for frame in visit.gateway.frames if frame["action"] == "onMessage")
    assert message["channel"]["metadata"]["customAttributes"] == {"cart": "3", "page": "/ink"}


async def test_context_over_the_limit_is_refused_at_once(visit: Visit) -> None:
    script = "try { client.setContext({ a: 'x'.repeat(2048) }); } catch ({ code }) { return code; }"
    assert await start(visit, then=script) == "context.too_large"


async def test_a_file_goes_to_its_place_and_then_into_a_message(visit: Visit) -> None:
    file = "new File(['%PDF'], 'bill.pdf', { type: 'application/pdf' })"
    await start(visit, then=f"client.connect(); {ONLINE} await client.attach({file}, 'my bill'); {ALL_SENT}")
    (attachment_id,) = visit.gateway.uploads
    assert visit.gateway.uploads[attachment_id] == b"%PDF"
    message = visit.gateway.frames[-1]["message"]
    assert message["text"] == "my bill"
    assert message["content"] == [{"contentType": "Attachment", "attachment": {"id": attachment_id}}]


async def test_what_was_not_sent_is_sent_after_a_reload(visit: Visit) -> None:
    visit.gateway.refuse("ticket", 503, "server.draining", times=999)
    await start(visit, options="timing: { backoffBaseMs: 60000 }", then="client.send('patient');")
    await visit.gateway.until(lambda: len(visit.gateway.asked("ticket")) >= 1)
    await visit.page.reload()
    visit.gateway.refusals.clear()
    await visit.run(f"{visit.client_script(QUICK)} {ALL_SENT}")
    assert visit.gateway.stored() == ["patient"]


async def test_a_duplicated_tab_does_not_send_what_waits_in_the_first(visit: Visit) -> None:
    visit.gateway.refuse("ticket", 503, "server.draining", times=999)
    await start(visit, options="timing: { backoffBaseMs: 60000 }", then="client.send('patient');")
    stored = await visit.run("return JSON.parse(sessionStorage['gateway.shop']).unsent;")
    assert stored == []


async def test_with_storage_forbidden_the_chat_works_from_memory(visit: Visit) -> None:
    await visit.context.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    result = await start(visit, then=f"client.draft = 'half'; client.send('hi'); {ALL_SENT} return client.draft;")
    assert result == "half"
    assert visit.gateway.stored() == ["hi"]


async def test_offline_the_socket_is_left_and_online_the_message_goes(visit: Visit) -> None:
    await start(visit)
    await visit.context.set_offline(True)
    await visit.page.wait_for_function("client.state === 'offline'")
    await visit.run("client.send('from the tunnel');")
    await visit.context.set_offline(False)
    await visit.run(ALL_SENT)
    assert visit.gateway.stored() == ["from the tunnel"]


async def test_a_silent_connection_is_held_to_be_dead(visit: Visit) -> None:
    visit.gateway.answer_message = lambda _: {"kind": "SomethingElse", "body": {}}
    await start(visit, options="timing: { backoffBaseMs: 20, backoffCapMs: 60, confirmMs: 200 }")
    await visit.run("client.send('hello?');")
    await visit.gateway.until(lambda: len(visit.gateway.asked("ticket")) == 2)
    visit.gateway.answer_message = None
    await visit.run(ALL_SENT)
    assert visit.gateway.stored() == ["hello?"]
